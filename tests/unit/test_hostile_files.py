"""A file of a few kB or MB from elsewhere is read or refused in little time and memory, by each command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hostile_files import FILES, content

from jitwatch._model import Tree
from jitwatch._store import load
from jitwatch._store.sizes import MAX_NODES

MEMORY_BYTES = 1 << 30
TIMEOUT_S = 300
"""Only against a program that never ends: what takes how long, `pytest -m benchmark` says."""
COMMANDS = {
    "report": ("report", "one.jitwatch"),
    "json": ("json", "one.jitwatch", "-o", "out.json"),
    "diff": ("diff", "one.jitwatch", "two.jitwatch"),
    "check": ("check", "--budget", "budget.toml", "one.jitwatch"),
    "combine": ("combine", "one.jitwatch", "two.jitwatch", "-o", "both.jitwatch"),
    "warm-up": ("warm-up", "one.jitwatch"),
}
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from jitwatch._cli.main import main
sys.argv = ["jitwatch", *sys.argv[1:]]
main()
"""


def size_of(tree: Tree) -> int:
    nodes, pending = 0, [tree]
    while pending:
        node = pending.pop()
        nodes += 1
        pending.extend(node.children)
    return nodes


@pytest.mark.parametrize("name", FILES)
def test_reading_bounds_what_a_file_stands_for(name: str, tmp_path: Path) -> None:
    path = tmp_path / "one.jitwatch"
    path.write_bytes(content(name))

    recording = load(path)

    arguments = {argument for one in recording.snapshot.functions for key in one.keys for argument in key.key.arguments}
    assert all(size_of(argument.tree) <= MAX_NODES for argument in arguments)
    keys = [key.key for function in recording.snapshot.functions for key in function.keys]
    assert sum(len(chunk) for key in keys for chunk in key.leaf_chunks) <= 20_000_000
    if name != "many_functions":
        lost = sum(function.dropped_keys for function in recording.snapshot.functions)
        assert not lost or any("too deep or too large" in problem for problem in recording.problems)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["nested_trees", "nested_trees_with_paths", "long_paths", "shared_arguments"])
def test_command_ends_within_its_memory(name: str, command: str, tmp_path: Path) -> None:
    for file in ("one.jitwatch", "two.jitwatch"):
        (tmp_path / file).write_bytes(content(name))
    (tmp_path / "budget.toml").write_text("[default]\nmax_compiles = 3\n")

    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(limit=MEMORY_BYTES), *COMMANDS[command]],
        cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert done.returncode in (0, 2), done.stderr
    assert "MemoryError" not in done.stderr


def test_equal_trees_are_one_however_often_they_are_described(tmp_path: Path) -> None:
    path = tmp_path / "one.jitwatch"
    lines = content("equal_times").splitlines()
    path.write_bytes(b"\n".join(lines) + b"\n")

    (function,) = load(path).snapshot.functions
    trees = {id(key.key.arguments[0].tree) for key in function.keys}

    assert len(function.keys) == 999 and len(trees) == 1
