"""Measure traces and compiles of the programs beside this file, and compare them with their headers.

    python oracle.py            all programs, with this interpreter's JAX
    python oracle.py C01 I07    some
    python oracle.py --repaired the positives after their `repair`: `needed_compiles` programs must be left

It shares nothing with jitwatch. Each program runs in a fresh process under plain Python. Traces are runs of the Python
body, counted by a statement that is put at the head of each definition of the counted name; compiles, and for
operations without a body traces as well, are JAX's own log records (`JAX_LOG_COMPILES`).
"""

import argparse
import ast
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import types

from headers import HERE, header, missing, plain, programs, repaired

# JAX 0.6 to 0.9 and JAX 0.10 and later word the first one differently.
TRACED = re.compile(r"Finished tracing(?: \+ transforming)? (.+?) for \w+ in")
COMPILED = re.compile(r"Finished XLA compilation of (?:\w+\((.+?)\)|(.+?)) in")
LOADED = re.compile(r"Persistent compilation cache hit for '(?:jit_)?(.+?)'")


class Counter(ast.NodeTransformer):
    """Puts a call that counts at the head of each definition of one name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if node.name == self.name:
            call = ast.Expr(ast.Call(ast.Name("_oracle_body", ast.Load()), [], []))
            node.body.insert(1 if ast.get_docstring(node) is not None else 0, ast.copy_location(call, node.body[0]))
        return ast.fix_missing_locations(node)


def child(path: pathlib.Path, out: pathlib.Path, repair: bool) -> None:
    """Run one program in this process and write what was counted."""
    source = path.read_text()
    tree = ast.parse(repaired(source) if repair else source)
    case, _ = header(tree)
    name = case.get("count") or case["function"]
    bodies, records = [], []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger("jax").addHandler(handler)
    main = types.ModuleType("__main__")
    main.__file__, main._oracle_body = str(path), lambda: bodies.append(1)
    sys.modules["__main__"], sys.argv = main, [str(path)]
    has_body = any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))
    exec(compile(Counter(name).visit(tree), str(path), "exec"), main.__dict__)
    wanted = case.get("repaired_as", case["function"]) if repair else case["function"]
    text = "\n".join(records)
    # Where the traced function is a transform's own wrapper (`count` is then "log"), only the records tell.
    traced = sum(m == case["function"] for m in TRACED.findall(text))
    compiled = [a or b for a, b in COMPILED.findall(text)].count(wanted)
    loaded = LOADED.findall(text).count(re.sub(r"\W", "_", wanted))
    import jax

    got = {"traces": len(bodies) if has_body else traced, "compiles": compiled, "loads": loaded, "jax": jax.__version__}
    out.write_text(json.dumps(got | {"all": sorted({a or b for a, b in COMPILED.findall(text)})}))


def measure(path: pathlib.Path, case: dict, repair: bool) -> dict:
    """Sums over all processes of a program (`runs`), which share a persistent cache if there are several."""
    runs = case.get("runs") or [{}]
    total = {"traces": 0, "compiles": 0, "loads": 0}
    with tempfile.TemporaryDirectory() as folder:
        for extra in runs:
            env = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_LOG_COMPILES": "1", **extra}
            if len(runs) > 1:
                env["JAX_COMPILATION_CACHE_DIR"] = f"{folder}/cache"
            out = pathlib.Path(folder, "out.json")
            command = [sys.executable, __file__, "--child", str(out), *["--repaired"] * repair, str(path)]
            done = plain(command, env=env, cwd=folder, timeout=300)
            if done.returncode:
                raise RuntimeError("\n".join(done.stderr.strip().splitlines()[-4:]))
            got = json.loads(out.read_text())
            total = {key: value + got[key] for key, value in total.items()} | {k: got[k] for k in ("jax", "all")}
    return total


def differences(case: dict, got: dict, repair: bool) -> list[str]:
    """What was counted and is not what the header says."""
    pairs = {"compiles": "expected_compiles", "traces": "expected_traces"}
    if repair:
        got, pairs = {"compiles": got["compiles"] - got["loads"]}, {"compiles": "needed_compiles"}
    return [f"{what} {got[what]}, header {case[key]}" for what, key in pairs.items() if got[what] != case[key]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repaired", action="store_true", help="apply each positive's repair first")
    parser.add_argument("--child", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="also print the names of all compiled functions")
    parser.add_argument("ids", nargs="*")
    args = parser.parse_args()
    if args.child:
        child(pathlib.Path(args.ids[0]), args.child, args.repaired)
        return 0
    wrong = 0
    for path, case in programs(HERE, args.ids):
        if args.repaired and case["kind"] == "negative":
            continue
        if why := missing(case):
            print(f"{path.stem:44s} {why}")
            continue
        start = time.perf_counter()
        try:
            got = measure(path, case, args.repaired)
            off = differences(case, got, args.repaired)
        except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
            got, off = {}, [str(error)]
        wrong += bool(off)
        seconds = time.perf_counter() - start
        print(f"{path.stem:44s} {'; '.join(off) or 'as in the header'} ({seconds:.1f} s)", flush=True)
        if args.verbose:
            print("   ", got)
    print(f"{wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
