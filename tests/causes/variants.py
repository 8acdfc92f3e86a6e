"""Other programs made from a cause program, of which the same must be said: the laws of the judge, as texts.

Each variant takes the source of a program and its header, and gives both for the copy. It raises `LeftOut` where it
cannot make one. It knows nothing of jitwatch and runs nothing.

    repeat      the driving part K times over, as an epoch loop would
    hits        each call of a jitted function once more with the same arguments, which compiles nothing
    threads     the driving part in a worker thread
    processes   the program as it is, in two processes whose data is added up
    moved       blank lines and comments before each statement, so that all lines are others
    renamed     functions, classes, parameters and locals under other names (`renamed.py`)
    innocents   jitted functions without fault, defined and called in shuffled places

The driving part begins at the first loop, `with` or call at top level after the last definition that runs something
jitted; what is made before it (arrays, optimizers, models, jitted functions, settings) is made once.
"""

import ast
import dataclasses
import random
import re
from collections.abc import Callable, Iterator

from headers import header
from renamed import renamed
from texts import LeftOut, Made, calls, last_name, replaced, stored

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a copy is made, and how it is run and read."""

    make: Callable[..., Made]
    processes: int = 1
    """How many processes run the copy at once."""
    compare_counts: bool = True
    """Whether the copy traces and compiles as often as the header says."""


def jitted(tree: ast.AST) -> set[str]:
    """Names of what is jitted, made by a call of `jit`, or made by a function of the program that jits and returns."""

    def jits(node: ast.AST) -> bool:
        return any(re.search(r"(?:^|_)p?jit$", last_name(each)) for each in ast.walk(node))

    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found = {node.name for node in functions if any(map(jits, node.decorator_list))}
    factories = set()
    for node in functions:
        returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value is not None]
        if any(jits(value) or last_name(value) in found for value in returned):
            factories.add(node.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and node.value is not None:
            made = {last_name(call.func) for call in calls(node.value)}
            if jits(node.value) or made & factories:
                found |= {last_name(each) for target in node.targets for each in ast.walk(target)} - {"", "self"}
    return found


def drivers(tree: ast.AST) -> set[str]:
    """Names whose call runs something jitted: the jitted ones, and functions that call one of those."""
    found = jitted(tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    while True:
        more = {node.name for node in functions if any(last_name(call.func) in found for call in calls(node))} - found
        if not more:
            return found
        found |= more


def driving_part(tree: ast.Module) -> list[ast.stmt]:
    """The statements at top level from the first one on that drives the program."""
    last = max((n for n, node in enumerate(tree.body) if isinstance(node, (*DEFINITIONS, ast.Import, ast.ImportFrom))))
    names = drivers(tree)
    for n, node in enumerate(tree.body[last + 1 :], last + 1):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            drives = "config" not in ast.unparse(node.value.func)
        elif isinstance(node, ast.Assign):
            drives = any(last_name(call.func) in names for call in calls(node.value))
        else:
            drives = isinstance(node, (ast.For, ast.While, ast.With, ast.If, ast.Try))
        if drives:
            return tree.body[n:]
    raise LeftOut("no driving part")


def indented(source: str, tree: ast.Module, start: int) -> list[str]:
    """The lines from line number `start` on, four columns to the right; the inside of a long text stays as it is."""
    inside = {
        number
        for node in ast.walk(tree)
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and hasattr(node, "lineno")
        for number in range(node.lineno + 1, node.end_lineno + 1)
        if isinstance(node, ast.JoinedStr) or isinstance(node.value, (str, bytes))
    }
    lines = source.splitlines()
    return [
        line if not line.strip() or number in inside else f"    {line}"
        for number, line in enumerate(lines[start - 1 :], start)
    ]


def in_block(source: str, *opening: str, closing: tuple[str, ...] = ()) -> str:
    """The program with its driving part as the body of a block."""
    tree = ast.parse(source)
    start = driving_part(tree)[0].lineno
    before = source.splitlines()[: start - 1]
    return "\n".join([*before, *opening, *indented(source, tree, start), *closing]) + "\n"


def repeat(source: str, case: dict, times: int = 5) -> Made:
    """The driving part in a loop."""
    if case.get("vary") is False:
        raise LeftOut("its header says so")
    if case.get("runs"):
        raise LeftOut("it starts several times itself")
    return in_block(source, f"for _again in range({times}):"), case


def in_thread(source: str, case: dict) -> Made:
    """The driving part in a worker thread."""
    names = sorted({name for node in driving_part(ast.parse(source)) for name in stored(node)})
    opening = [
        "import concurrent.futures as _futures", "", "", "def _drive():", *[f"    global {', '.join(names)}"] * bool(names),
    ]  # fmt: skip
    closing = ("", "", "with _futures.ThreadPoolExecutor(1) as _worker:", "    _worker.submit(_drive).result()")
    return in_block(source, *opening, closing=closing), case


def as_it_is(source: str, case: dict) -> Made:
    """The program itself, for two processes."""
    if case.get("runs"):
        raise LeftOut("it starts several times itself")
    return source, case


def moved(source: str, case: dict) -> Made:
    """Comments and blank lines before each statement."""
    tree = ast.parse(source)
    _, end = header(tree)
    lines = source.splitlines()
    starts = {
        min([node.lineno, *[each.lineno for each in getattr(node, "decorator_list", [])]])
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
    }
    made = []
    for number, line in enumerate(lines, 1):
        if number in starts and number > end:
            made += ["", f"{line[: len(line) - len(line.lstrip())]}# Moved down by two lines."]
        made.append(line)
    return "\n".join(made) + "\n", case


TWICE = """
def _concrete(*arguments):
    leaves = _jax.tree.leaves(arguments)
    return not any(
        isinstance(leaf, _jax.core.Tracer) or (isinstance(leaf, _jax.Array) and leaf.is_deleted()) for leaf in leaves
    )
"""


def _unnameable(tree: ast.AST) -> set[int]:
    """The calls whose arguments Python lets nobody name by `:=`, or whose place in the source it does not tell."""
    within: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            within += [each for each in node.body if not isinstance(each, DEFINITIONS)]
        elif isinstance(node, ast.comprehension):
            within.append(node.iter)
        elif isinstance(node, ast.JoinedStr):  # until Python 3.12
            within.append(node)
    return {id(call) for node in within for call in calls(node)}


def hits(source: str, case: dict) -> Made:
    """Each call of a jitted function that returned, again at the same line with the same arguments: a hit."""
    tree = ast.parse(source)
    names = jitted(tree)
    unnameable = _unnameable(tree)
    found = [call for call in calls(tree) if last_name(call.func) in names and id(call) not in unnameable]
    if not found:
        raise LeftOut("no call of a jitted function by name")
    numbers = {id(call): n for n, call in enumerate(found)}

    def twice(call: ast.Call, text: Callable[[ast.AST], str]) -> str:
        number = numbers[id(call)]
        positional = "".join(f"{text(each)}, " for each in call.args)
        keywords = ", ".join(
            f"{each.arg!r}: {text(each.value)}" if each.arg else f"**{text(each.value)}" for each in call.keywords
        )
        args, kwargs = f"_a{number}", f"_k{number}"
        first = f"{text(call.func)}(*({args} := ({positional})), **({kwargs} := {{{keywords}}}))"
        return f"({first}, _concrete({args}, {kwargs}) and {text(call.func)}(*{args}, **{kwargs}))[0]"

    made = replaced(source, found, twice).splitlines()
    end = header(ast.parse("\n".join(made)))[1]
    return "\n".join([*made[:end], "import jax as _jax", TWICE, *made[end:]]) + "\n", case


INNOCENTS = {
    "innocent_scale": """
@_jax.jit
def innocent_scale(values):
    return 2 * values
""",
    "innocent_buckets": """
@_jax.jit
def innocent_buckets(values):
    return values.sum() + 1
""",
    "innocent_modes": """
@_partial(_jax.jit, static_argnames="training")
def innocent_modes(values, training):
    return values.max() if training else values.min() - values.max()
""",
}
CALLS = {
    "innocent_scale": "for _ in range(4): innocent_scale(_numpy.ones(3, _numpy.float32))",
    "innocent_buckets": "for _ in range(4): innocent_buckets(_numpy.ones(8)), innocent_buckets(_numpy.ones(16))",
    "innocent_modes": "for _ in range(4): innocent_modes(_numpy.ones(4), True), innocent_modes(_numpy.ones(4), False)",
}
FORGETS = ("clear_caches", "jax.config.update")
"""What makes every function compile again, also one without fault, once the program is under way."""


def innocents(source: str, case: dict) -> Made:
    """Jitted functions that nobody can complain of, in places that the name of the program decides."""
    tree = ast.parse(source)
    driving = driving_part(tree)
    for node in [*driving, *(each for each in tree.body if isinstance(each, DEFINITIONS))]:
        for what in FORGETS:
            if what in ast.unparse(node):
                raise LeftOut(f"{what} makes the innocents compile again as well")
    shuffle = random.Random(case["id"])
    names = sorted(INNOCENTS)
    shuffle.shuffle(names)
    lines = source.splitlines()
    added: dict[int, list[str]] = {}
    end = header(tree)[1]
    added[end] = ["import jax as _jax", "import numpy as _numpy", "from functools import partial as _partial"]
    defined = shuffle.randint(0, len(names))
    start = driving[0].lineno - 1
    for n, name in enumerate(names):
        added.setdefault(end if n < defined else start, []).extend(INNOCENTS[name].splitlines())
    places = [start, *(node.lineno - 1 for node in driving[1:]), len(lines)]
    for name in names * 2:
        added.setdefault(shuffle.choice(places), []).append(CALLS[name])
    made = list(added.get(0, []))
    for number, line in enumerate(lines, 1):
        made += [line, *added.get(number, [])]
    return "\n".join(made) + "\n", case


VARIANTS = {
    "repeat": Variant(repeat, compare_counts=False),
    "hits": Variant(hits),
    "threads": Variant(in_thread),
    "processes": Variant(as_it_is, processes=2),
    "moved": Variant(moved),
    "renamed": Variant(renamed),
    "innocents": Variant(innocents),
}


def names_of(variant: str, times: list[int]) -> Iterator[tuple[str, Variant, dict]]:
    """The variants that a name stands for, each with what `make` is given beside source and header."""
    for name in VARIANTS if variant == "all" else [variant]:
        if name == "repeat":
            yield from ((f"repeat {each}", VARIANTS[name], {"times": each}) for each in times)
        else:
            yield name, VARIANTS[name], {}
