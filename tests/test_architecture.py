"""Who may import whom, who may touch JAX, and how long a file may get: the rules of docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jitwatch

PACKAGE = Path(jitwatch.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
INTERNALS = PACKAGE / "_capture" / "jax_internals.py"
LEAVES = {"_model", "_errors"}  # import nothing of jitwatch
PURE = {
    "_advise",
    "_buckets",
    "_budget",
    "_budget_update",
    "_comparison",
    "_compiled",
    "_declared",
    "_judge",
    "_difference",
    "_explain",
    "_key_changes",
    "_leaf_text",
    "_merge",
    "_nearest",
    "_part_changes",
    "_safe_text",
    "_sums",
    "_test_costs",
    "_test_limits",
    "_tokens",
}
MAX_LINES = 400


def imports(tree: ast.AST) -> set[str]:
    """Every module name that a syntax tree imports, also within functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def touches_jax(names: set[str]) -> bool:
    return any(name.split(".")[0] in ("jax", "jaxlib") for name in names)


def private_jax(tree: ast.AST) -> list[str]:
    """Private modules of JAX that are imported, and underscore attributes of names bound to JAX."""
    found = [name for name in imports(tree) if name.startswith(("jax._", "jaxlib"))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in ("jax", "jnp", "jitted", "array", "fastpath"):
                found.append(f"{ast.unparse(node)}")
    return [name for name in found if not name.endswith("._jitwatch")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_keeps_the_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    names = imports(tree)
    in_capture = path.parent.name == "_capture"

    assert len(text.splitlines()) <= MAX_LINES
    assert in_capture or not touches_jax(names), "only the capture package imports jax"
    assert path == INTERNALS or not private_jax(tree), "only jax_internals.py touches private JAX"
    assert ast.get_docstring(tree), "every module says what it is for"
    if path.stem in LEAVES:
        assert not any(name.startswith("jitwatch") for name in names)
    if path.stem in PURE or path.parent.name == "_report":
        allowed = tuple(f"jitwatch.{stem}" for stem in sorted(LEAVES | PURE))
        allowed += ("jitwatch._report",) if path.parent.name == "_report" else ()
        assert all(name.startswith(allowed) for name in names if name.startswith("jitwatch"))


def test_files_are_found() -> None:
    assert INTERNALS in FILES


def test_the_check_can_fail() -> None:
    assert touches_jax(imports(ast.parse("def f():\n    import jax.numpy as jnp")))
    assert private_jax(ast.parse("from jax._src import core"))
    assert private_jax(ast.parse("jitted._cache_size()"))
