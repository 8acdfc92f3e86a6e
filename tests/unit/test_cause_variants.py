"""How the programs of tests/causes are varied: on texts of a few lines, none of which is run with JAX."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from headers import HERE, header, programs, repaired
from renamed import in_text
from texts import LeftOut
from variants import VARIANTS, driving_part, jitted, names_of

PROGRAM = '''"""A symptom."""

import jax

CASE = {
    "id": "C99",
    "kind": "positive",
    "function": "train_step",
    "cause": "shape",
    "where": ["batch", "static size"],
    "match": {"line": "loss = train_step("},
    "repair": [["range(3)", "range(1)"]],
}


@jax.jit
def train_step(batch, size=2):
    return batch * size


class Trainer:
    def __init__(self, rate):
        self.rate = rate

    def fit(self, batch):
        return train_step(batch, size=4)


trainer = Trainer(rate=0.1)
text = """two
lines"""
for number in range(3):
    loss = train_step(number)
    total = trainer.fit([train_step(each) for each in range(number)])
print(f"{loss} {total} {text}")
'''
CASE, END = header(ast.parse(PROGRAM))


def vary(name: str, source: str = PROGRAM, case: dict[str, Any] = CASE, **options: Any) -> tuple[str, dict[str, Any]]:
    return VARIANTS[name].make(source, case, **options)


def run(source: str) -> tuple[list[str], list[str]]:
    """What a program prints, and what its jitted functions were called with, in plain Python."""
    said: list[str] = []
    called: list[str] = []

    class Jax:
        class Array:
            pass

        class tree:
            leaves = staticmethod(lambda tree: [])

        @staticmethod
        def jit(function: Any) -> Any:
            def counted(*arguments: Any, **keywords: Any) -> Any:
                if not function.__name__.startswith("innocent_"):
                    called.append(f"{arguments}")
                return None if function.__name__.startswith("innocent_") else function(*arguments, **keywords)

            return counted

    lines = [line for line in source.splitlines() if not line.startswith("import jax")]
    names = {"jax": Jax, "_jax": Jax, "print": said.append, "__name__": "__main__"}
    exec(
        compile("\n".join(lines).replace("_partial(_jax.jit, static_argnames='training')", "_jax.jit"), "x", "exec"),
        names,
    )
    return said, called


SAID, CALLED = run(PROGRAM)


def test_driving_part_begins_where_something_jitted_runs() -> None:
    assert [type(node).__name__ for node in driving_part(ast.parse(PROGRAM))] == ["For", "Expr"]


@pytest.mark.parametrize("line", ["x = train_step(1)", "y = Trainer(1).fit(2)", "with a: pass", "run()"])
def test_driving_part_begins_with(line: str) -> None:
    source = PROGRAM[: PROGRAM.index("trainer = ")]
    (node,) = driving_part(ast.parse(f"{source}\nsize = 3\njax.config.update('a', 1)\n{line}\n"))

    assert ast.unparse(ast.parse(line)) == ast.unparse(node)


def test_program_without_driving_part_is_left_out() -> None:
    with pytest.raises(LeftOut, match="no driving part"):
        vary("repeat", PROGRAM[: PROGRAM.index("trainer = ")])


def test_repeat_runs_the_driving_part_again_and_leaves_long_texts_as_they_are() -> None:
    made, case = vary("repeat", times=3)

    assert run(made) == (SAID * 3, CALLED * 3)
    assert case == CASE


def test_repeat_leaves_out_what_its_header_forbids() -> None:
    with pytest.raises(LeftOut, match="its header says so"):
        vary("repeat", case={**CASE, "vary": False})
    with pytest.raises(LeftOut, match="it starts several times itself"):
        vary("repeat", case={**CASE, "runs": [{}, {}]})


def test_thread_runs_the_driving_part_once() -> None:
    made, _ = vary("threads")

    assert run(made) == (SAID, CALLED)
    assert "    global loss, number, total\n" in made


def test_hits_call_twice_at_the_same_line_with_the_same_arguments() -> None:
    made, _ = vary("hits")
    said, called = run(made.replace("isinstance(leaf, _jax.core.Tracer) or ", ""))

    assert said == SAID
    assert sorted(called) == sorted(CALLED * 2)
    line = next(n for n, text in enumerate(made.splitlines()) if "loss = " in text and "CASE" not in text and n > END)
    assert made.splitlines()[line].count("train_step(*") == 2


def test_jitted_names_are_found_through_factories_and_attributes() -> None:
    source = (
        "def make(rate):\n    @jax.jit\n    def step(x): return x\n    return step\n"
        "one, two = make(1), make(2)\nself.three = jax.jit(f)\nfour = eqx.filter_jit(g)\njitter = h(1)\n"
    )

    assert jitted(ast.parse(source)) == {"step", "one", "two", "three", "four"}


def test_moved_program_is_the_same_on_other_lines() -> None:
    made, case = vary("moved")

    assert ast.dump(ast.parse(PROGRAM)) == ast.dump(ast.parse(made))
    assert case == CASE
    old, new = (
        max(n for n, line in enumerate(text.splitlines()) if "loss = train_step(" in line) for text in (PROGRAM, made)
    )
    assert new > old + 10


def test_renamed_program_does_the_same_and_its_header_goes_along() -> None:
    made, case = vary("renamed")

    assert run(made) == (SAID, CALLED)
    assert case["function"] == "train_step_renamed"
    assert case["where"] == ["batch_renamed", "static size_renamed"]
    assert case["match"]["line"].strip() == "loss_renamed = train_step_renamed(number_renamed)"
    assert case["match"]["line"] in made
    names = {node.id for node in ast.walk(ast.parse(made)) if isinstance(node, ast.Name)}
    assert names & {"train_step", "Trainer", "trainer", "loss", "batch", "size", "number"} == set()


def test_renaming_keeps_attributes_imports_builtins_and_keywords_of_others() -> None:
    body = "import lib\ndef f(x, rate):\n    self = x\n    return lib.g(x.rate, other=rate, key=1).x\nlib.h(f, x=len('a'))\n"
    made, _ = vary("renamed", f"{PROGRAM[: PROGRAM.index('@jax.jit')]}{body}")

    assert "def f_renamed(x_renamed, rate_renamed):" in made
    assert "lib.g(x_renamed.rate, other=rate_renamed, key=1).x" in made
    assert "lib.h(f_renamed, x=len('a'))" in made


@pytest.mark.parametrize(("text", "expected"), [
    (r"\bstate\b|\bother\b", r"\bstate_renamed\b|\bother\b"),
    ("state.state['state']", "state_renamed.state['state']"),
    (r"debug\.state", r"debug\.state_renamed"),
    ("static state", "static state_renamed"),
])  # fmt: skip
def test_text_is_renamed_where_it_has_names(text: str, expected: str) -> None:
    assert in_text(text, {"state"}) == expected


def test_innocents_are_defined_and_called_and_change_nothing() -> None:
    made, case = vary("innocents")

    assert case == CASE
    assert made == vary("innocents")[0]
    for name in ("innocent_scale", "innocent_buckets", "innocent_modes"):
        assert made.count(f"def {name}(") == 1
        assert made.count(f"4): {name}(") == 2
    assert made != vary("innocents", case={**CASE, "id": "C98"})[0]


def test_innocents_are_left_out_where_they_would_compile_again() -> None:
    with pytest.raises(LeftOut, match="clear_caches"):
        vary("innocents", f"{PROGRAM}\njax.clear_caches()\n")


def test_processes_leave_the_program_as_it_is() -> None:
    assert vary("processes") == (PROGRAM, CASE)
    assert VARIANTS["processes"].processes == 2


def test_all_stands_for_each_variant_and_each_number_of_repeats() -> None:
    labels = [label for label, _, _ in names_of("all", [2, 5])]

    assert labels[:2] == ["repeat 2", "repeat 5"]
    assert set(labels[2:]) == set(VARIANTS) - {"repeat"}


def test_repair_replaces_below_the_header() -> None:
    made = repaired(PROGRAM)

    assert "for number in range(1)" in made
    assert '["range(3)", "range(1)"]' in made


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_program_is_varied_to_valid_python_or_left_out_with_a_reason(variant: str) -> None:
    left_out = []
    for path, case in programs(HERE):
        try:
            made, _ = vary(variant, path.read_text(), case)
        except LeftOut as why:
            left_out.append(str(why))
        else:
            compile(made, str(path), "exec")

    assert all(left_out)
    assert len(left_out) < 10
