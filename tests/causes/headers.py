"""What everything that reads the programs beside this file needs: their header, their repair, whether they apply here."""

import ast
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

HERE = pathlib.Path(__file__).parent
LIBRARIES = ("flax", "optax", "equinox", "diffrax", "haiku", "numpyro")


def header(tree: ast.Module) -> tuple[dict, int]:
    """The literal `CASE` of a program, and the line on which it ends."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CASE":
            return ast.literal_eval(node.value), node.end_lineno
    raise ValueError("no CASE header")


def programs(folder: pathlib.Path, ids: Iterable[str] = ()) -> Iterator[tuple[pathlib.Path, dict]]:
    """The programs of a folder in order, with their headers; only those of `ids`, if there are any."""
    wanted = set(ids)
    for path in sorted(folder.glob("[CI][0-9]*.py")):
        case, _ = header(ast.parse(path.read_text()))
        if not wanted or case["id"] in wanted:
            yield path, case


def repaired(source: str) -> str:
    """The program after its `repair`: texts below the header that are replaced, in order."""
    case, end = header(ast.parse(source))
    lines = source.splitlines(keepends=True)
    head, body = "".join(lines[:end]), "".join(lines[end:])
    for old, new in case["repair"]:
        if old not in body:
            raise ValueError(f"{case['id']}: nothing to repair: {old!r}")
        body = body.replace(old, new)
    return head + body


def plain(command: list[str], **options) -> subprocess.CompletedProcess:
    """Run a command to its end, whatever its status, and keep what it says."""
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def missing(case: dict) -> str:
    """Why a program does not apply to this interpreter, or an empty text."""
    needed = [name for name in re.split(r"[+.]", case["library"]) if name in LIBRARIES]
    done = plain([sys.executable, "-c", f"import {', '.join(['jax', *needed])}; print(jax.__version__)"])
    if done.returncode:
        return f"needs {', '.join(needed)}"
    have, need = ([int(n) for n in v.split(".")[:3]] for v in (done.stdout.strip(), case.get("needs_jax", "0.6.1")))
    return f"needs JAX {case['needs_jax']}" if have < need else ""
