"""A program that ends says no word of jitwatch's, whatever is still open, and ends as it would without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = {
    "function at module level": "@jitwatch.watched_jit\ndef f(x): return x\nf(1.0)\n",
    "statics, partials and methods": (
        "class C:\n    def m(self, x): return x\n"
        "c = C()\nf = jitwatch.watched_jit(lambda x, o: x, static_argnames='o')\nf(1.0, o=c)\n"
        "g = jitwatch.watched_jit(c.m)\ng(1.0)\nh = jitwatch.watched_jit(functools.partial(lambda a, x: x, c))\nh(1.0)\n"
        "c.cycle = f, g, h\n"
    ),
    "statics of one hash": (
        "class One:\n    def __hash__(self): return 1\n    def __eq__(self, other): return self is other\n"
        "f = jitwatch.watched_jit(lambda x, o: x, static_argnames='o')\n"
        "kept = [One() for _ in range(3)]\nfor one in kept: f(1.0, o=one)\n"
    ),
    "writer left open": (
        "from jitwatch._store import Writer\nw = Writer('left.jitwatch', interval_s=0.001)\n"
        "f = jitwatch.watched_jit(lambda x: x)\nf(1.0)\n"
    ),
    "call log and recording left open": (
        "log = jitwatch.call_log(print)\nlog.__enter__()\nr = jitwatch.recording()\nr.__enter__()\n"
        "f = jitwatch.watched_jit(lambda x: x)\nf(1.0)\n"
    ),
    "subscriber that is called late": (
        "jitwatch.subscribe(lambda event: None)\nf = jitwatch.watched_jit(lambda x: x)\nf(1.0)\n"
        "atexit.register(lambda: f(2))\n"
    ),
    "a thread that announces": (
        "from jitwatch._policy.progress import announcer\nf = jitwatch.watched_jit(lambda x: x)\n"
        "announcer().after_s = 0.0001\nf(1.0)\nf(2)\n"
    ),
    "installed": "jitwatch.install()\nimport jax\njax.jit(lambda x: x)(1.0)\n",
    "frozen": "f = jitwatch.watched_jit(lambda x: x)\nf(1.0)\njitwatch.freeze()\n",
}
HEAD = "import atexit, functools, sys, threading, time\nimport numpy as np\nimport jitwatch\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_end_of_a_program_is_quiet(name: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HEAD + PROGRAMS[name])

    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )

    announced = name == "a thread that announces"
    said = [line for line in done.stderr.splitlines() if not (announced and line.startswith("jitwatch: "))]
    assert (done.returncode, said) == (0, [])
