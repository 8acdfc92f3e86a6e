"""What `install()` leaves as it was: what JAX logs, and the import of JAX after it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2]


LOGS = """
import logging, sys
{before}
if {installs}:
    import jitwatch
    jitwatch.install()
import jax, jax.numpy as jnp
{after}
f = jax.jit(lambda x: x * 2)
f(jnp.ones(3)); f(jnp.ones(4)); jnp.arange(7); jax.grad(lambda x: f(x).sum())(jnp.ones(3))
logging.getLogger("jax._src.interpreters.pxla").debug("mine")
print(logging.getLogger("jax").level, logging.getLogger("jax._src.interpreters.pxla").level)
"""
LOGGING = {
    "default": ("", ""),
    "log_compiles": ("import os; os.environ['JAX_LOG_COMPILES'] = '1'", ""),
    "own level": ("", "logging.basicConfig(); logging.getLogger('jax._src.interpreters.pxla').setLevel('DEBUG')"),
}


@pytest.mark.parametrize("setting", LOGGING)
def test_jax_logs_what_it_logs_without_jitwatch(setting: str) -> None:
    before, after = LOGGING[setting]

    def messages(installs: bool) -> list[str]:
        code = LOGS.format(before=before, after=after, installs=installs)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE)
        lines = (done.stdout + done.stderr).splitlines()
        return [re.sub(r"\d+|0x[0-9a-f]+", "N", line) for line in lines if "jitwatch" not in line]

    assert messages(True) == messages(False)


def test_install_before_jax_is_imported_watches_libraries_too(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(
        "from jax import jit\nimport jax\n@jit\ndef f(x): return x\n@jax.jit\ndef g(x): return x\n"
    )
    code = (
        "import sys, jitwatch; jitwatch.install(count_hits=True); assert 'jax' not in sys.modules\n"
        "import library; library.f(1.0); library.f(1.0); library.g(1.0)\n"
        "print(sorted((f.name, f.hits, f.misses) for f in jitwatch.snapshot().functions if f.misses))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{PACKAGE}"},
    )  # fmt: skip

    assert done.stdout == "[('f', 1, 1), ('g', 0, 1)]\n"


def test_uninstall_before_jax_is_imported_leaves_jax_alone() -> None:
    code = "import jitwatch; jitwatch.install(); jitwatch.uninstall(); import jax; print(jax.jit.__code__.co_filename)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE)

    assert "jitwatch" not in done.stdout
