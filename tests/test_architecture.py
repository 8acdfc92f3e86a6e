"""Which package may import which, who may touch JAX, and how long a file may get: the rules of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jitwatch

PACKAGE = Path(jitwatch.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400

ROOMS = {
    "_model": "_model_callers _model_keys _model_programs", "_model_callers": "_model_keys", "_model_keys": "",
    "_model_programs": "_model_callers _model_keys", "_errors": "",
    "_state": "", "_blocks": "_errors _state",
    "_config": "_errors",
    "_faults": "_errors _state",
    "_hub": "_errors _faults _state",
    "_words": "_model",
    "_explain": "_model _words",
    "_record": "_model _errors _blocks _faults _hub _state _words",
    "_store": "_model _errors _faults _hub _state _record",
    "_capture": "_model _errors _faults _hub _state _record _words",
    "_judge": "_model _explain _words _record",
    "_compare": "_model _errors _explain _judge _policy _record _words",
    "_policy": "_model _errors _config _faults _hub _state _record _explain _judge _words _capture",
    "_testing": "_model _errors _hub _state _record _explain _judge _policy _words _compare",
    "_report": "_model _errors _explain _judge _record _words _compare _policy _testing",
    "_export": "_model _judge _record",
    "_api": "_export _model _errors _blocks _config _faults _hub _state _record _explain _judge _policy _words _capture"
    " _report",
    "_run": "_model _errors _config _faults _hub _state _record _store _policy _api _report _words _capture",
    "_pytest": "_model _errors _config _faults _hub _state _record _store _judge _policy _compare _testing _report _run"
    " _words _api _capture",
    "_cli": "_model _errors _config _store _record _run _report _compare _explain _judge _words _capture",
    "testing": "_errors _blocks _config _state _record _policy _testing _report _api _capture",
    "pytest_plugin": "_faults _pytest",
    "typing": "_model _api _pytest",
    "__main__": "_cli",
}  # fmt: skip
"""What each room may import, beside itself: never anything to its right in the flow, and no two of them each other."""

ONLY_TYPES = {"_policy": {"_capture"}}
"""Imports that are for type checkers only: policy is handed what capture sees, and never asks for it."""

USES_JAX = {"_capture", "_api"}
INTERNALS = PACKAGE / "_capture" / "jax_internals"


def room_of(path: Path) -> str:
    """The package or root module that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(tree: ast.AST, *, with_types: bool = True) -> set[str]:
    """Every module name that a syntax tree imports, also within functions."""
    names = set()
    for node in walk(tree, with_types=with_types):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def walk(tree: ast.AST, *, with_types: bool) -> Iterator[ast.AST]:
    """All nodes; without those that only a type checker sees, if asked for."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if with_types or not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
                waiting.append(child)


def rooms_imported(path: Path, *, with_types: bool = True) -> set[str]:
    """The rooms that a file imports, but for its own."""
    names = imports(ast.parse(path.read_text(encoding="utf-8")), with_types=with_types)
    rooms = {name.split(".")[1] for name in names if name.startswith("jitwatch.")}
    return {room for room in rooms if room in ROOMS} - {room_of(path)}


def modules_imported(path: Path) -> set[Path]:
    """The files of the package that a file imports when it is loaded or used."""
    found = set()
    for name in imports(ast.parse(path.read_text(encoding="utf-8")), with_types=False):
        parts = name.split(".")
        if parts[0] == "jitwatch":
            base = PACKAGE.joinpath(*parts[1:])
            found |= {file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()}
    return found - {path, PACKAGE / "__init__.py"}


def circles(graph: dict[Path, set[Path]]) -> list[list[Path]]:
    """Groups of files each of which leads to all others of its group."""

    def reached(start: Path) -> set[Path]:
        seen: set[Path] = set()
        waiting = list(graph.get(start, ()))
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting.extend(graph.get(one, ()))
        return seen

    reach = {path: reached(path) for path in graph}
    return [
        sorted(other for other in reach[path] if path in reach.get(other, ())) for path in graph if path in reach[path]
    ]


def touches_jax(names: set[str]) -> bool:
    return any(name.split(".")[0] in ("jax", "jaxlib") for name in names)


JAX_OBJECTS = ("jax", "jnp", "jitted", "array", "fastpath", "tracer", "aval", "lowered", "compiled")
JAX_CLASSES = ("Jaxpr", "ClosedJaxpr", "Tracer", "JVPTracer", "BatchTracer", "DynamicJaxprTracer", "PjitFunction")
JAX_FRAMES = ("cache_miss", "apply_primitive", "reraise_with_filtered_traceback", "_pjit_call_impl_python")


def private_jax(tree: ast.AST) -> list[str]:
    """What only `jax_internals` may know.

    Private modules and attributes, names of JAX's classes and running functions in texts, and versions of JAX.
    """
    found = [name for name in imports(tree) if name.startswith(("jax._", "jaxlib"))]
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in JAX_OBJECTS:
                private = node.attr.startswith("_") and not node.attr.startswith("__")
                if private and not node.attr.startswith("_jitwatch"):
                    found.append(ast.unparse(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            if node.value in (*JAX_CLASSES, *JAX_FRAMES) or node.value.startswith("jax._src"):
                found.append(repr(node.value))
        elif isinstance(node, ast.Compare) and "jax.__version" in ast.unparse(node):
            found.append(ast.unparse(node))
    return found


def mutable_globals(tree: ast.Module) -> list[str]:
    """Names of a module that are bound to something that is filled while a program runs."""
    made = ("dict", "list", "set", "deque", "count", "Lock", "RLock", "local", "Counter", "ContextVar")
    found = []
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            value = node.value
            empty = isinstance(value, (ast.Dict, ast.List)) and not ast.unparse(value).strip("{}[]")
            called = ast.unparse(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
            if empty or called in made or called.startswith("Weak"):
                found.append(ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target))
    found += [name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names]
    return found


KEPT_OUTSIDE_THE_STATE = {
    "_state.py": {"_locks", "_current"},  # the state itself
    "_record/user_context.py": {"_sources"},  # a context variable belongs to tasks, not to a watch
    "_run/script.py": {"interrupted"},  # how the process ends
    "_policy/bans.py": {"_thread_numbers"},  # numbers of threads, which outlive a state
    "_capture/jax_internals/__init__.py": {"_given"},  # what JAX holds: it outlives a state
    "_explain/program_pieces.py": {"_known"},  # a cache of pure results
    "_capture/keys/static_parts.py": {"EXPANSIONS"},  # a table, filled at import
    "_capture/keys/libraries.py": {"_library_classes"},  # a cache of what classes are
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_keeps_the_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    room = room_of(path)
    name = path.relative_to(PACKAGE).as_posix()

    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(tree), "every module says what it is for"
    assert room in USES_JAX or not touches_jax(imports(tree)), "only capture and the user-facing calls import jax"
    assert path.is_relative_to(INTERNALS) or not private_jax(tree), "only jax_internals knows the inside of JAX"
    assert set(mutable_globals(tree)) <= KEPT_OUTSIDE_THE_STATE.get(name, set()), "what is filled belongs to the state"
    if room != "__init__":
        assert rooms_imported(path) <= set(ROOMS[room].split())
        assert not rooms_imported(path, with_types=False) & ONLY_TYPES.get(room, set())


def test_no_room_leads_back_to_itself() -> None:
    graph = {
        Path(room): {Path(other) for other in allowed.split() if other not in ONLY_TYPES.get(room, ())}
        for room, allowed in ROOMS.items()
    }

    assert circles(graph) == []


def test_no_file_leads_back_to_itself() -> None:
    graph = {path: modules_imported(path) for path in FILES if path.name != "__init__.py"}

    assert [[str(file.relative_to(PACKAGE)) for file in circle] for circle in circles(graph)] == []


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in FILES} - {"__init__"} == ROOMS.keys()


def test_the_checks_can_fail() -> None:
    assert touches_jax(imports(ast.parse("def f():\n    import jax.numpy as jnp")))
    assert private_jax(ast.parse("from jax._src import core"))
    assert private_jax(ast.parse("jitted._cache_size()"))
    assert private_jax(ast.parse("if type(x).__name__ == 'ClosedJaxpr': pass"))
    assert private_jax(ast.parse("new = jax.__version_info__ >= (0, 9)"))
    assert mutable_globals(ast.parse("_known: dict[str, int] = {}"))
    assert mutable_globals(ast.parse("_lock = threading.Lock()"))
    assert mutable_globals(ast.parse("def f():\n    global done"))
    assert circles({Path("a"): {Path("b")}, Path("b"): {Path("a")}, Path("c"): {Path("a")}})
