"""How far two programs are the same: by their text in MLIR's generic form, step by step."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitwatch._explain.program_pieces import STEPS
from jitwatch._explain.programs import equal_up_to, steps_of
from jitwatch._model import EQUALITIES, Program

DOT = (
    '"stablehlo.dot_general"(%arg0, %0) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], '
    "rhs_contracting_dimensions = [0]>, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision "
    "DEFAULT>]}> : (tensor<8x4xf32>, tensor<4x8xf32>) -> tensor<8x8xf32>"
)
CONSTANT = '"stablehlo.constant"() <{value = dense<2.000000e+00> : tensor<4x8xf32>}> : () -> tensor<4x8xf32>'
SLICE = (
    '"stablehlo.slice"(%arg0) <{limit_indices = array<i64: 5, 4>, start_indices = array<i64: 2, 0>, strides = '
    "array<i64: 1, 1>}> : (tensor<8x4xf32>) -> tensor<3x4xf32>"
)
CONVOLUTION = (
    '"stablehlo.convolution"(%arg0, %0) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, '
    "f]x[0, 1, i, o]->[b, 0, 1, f]>, feature_group_count = 1 : i64, padding = dense<1> : tensor<2x2xi64>, "
    "window_strides = array<i64: 1, 1>}> : (tensor<8x4xf32>, tensor<4x8xf32>) -> tensor<8x8xf32>"
)
WINDOW = (
    '"stablehlo.reduce_window"(%arg0, %0) <{padding = dense<[[7, 0], [0, 0]]> : tensor<2x2xi64>, window_dimensions = '
    "array<i64: 8, 1>, window_strides = array<i64: 1, 1>}> : (tensor<8x4xf32>, tensor<f32>) -> tensor<8x4xf32>"
)
IOTA = '"stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<8x4xi32>'
ADD = '"stablehlo.add"(%1, %1) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>'
COMPARE = (
    '"stablehlo.compare"(%1, %1) <{compare_type = #stablehlo<comparison_type FLOAT>, comparison_direction = '
    "#stablehlo<comparison_direction GT>}> : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xi1>"
)
CALL = '"func.call"(%1) <{callee = @relu}> : (tensor<8x8xf32>) -> tensor<8x8xf32>'
CALLS = [CALL, CALL.replace("relu", "norm")]
RELU = '"stablehlo.maximum"(%arg0, %arg0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>'
NORM = RELU.replace("maximum", "minimum")
FULL = [CONSTANT, DOT, IOTA, ADD, COMPARE, *CALLS, SLICE]


def function(name: str, *operations: str, arguments: str = "", results: str = "") -> str:
    lines = [f"    %{number} = {operation}" for number, operation in enumerate(operations)]
    head = f'<{{{arguments}function_type = () -> (){results}, sym_name = "{name}", sym_visibility = "x"}}>'
    body = "\n".join([*lines, f'    "func.return"(%{len(lines) - 1}) : (tensor<8x8xf32>) -> ()'])
    return f'  "func.func"() {head} ({{\n  ^bb0(%arg0: tensor<8x4xf32>):\n{body}\n  }}) : () -> ()\n'


def module(*operations: str, name: str = "jit_f", mesh: str = "", private: str = "", **head: str) -> str:
    private = private or function("relu", RELU) + function("norm", NORM)
    begin = f'"builtin.module"() <{{sym_name = "{name}"}}> ({{\n{mesh}'
    end = "}) {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} : () -> ()\n"
    return begin + function("main", *operations, **head) + private + end


def program(text: str, number: int = 1, **changes: object) -> Program:
    return Program(**{"id": f"p{number}", "target": "t", "steps": steps_of(text), **changes})  # type: ignore[arg-type]


def compared(one: str, other: str) -> str:
    """How far two programs of these texts are the same; the same whichever comes first."""
    result = equal_up_to(program(one, 1), program(other, 2))
    assert equal_up_to(program(other, 2), program(one, 1)) == result
    return result


def with_part(operation: str, before: str, after: str) -> tuple[str, str]:
    """A program with an operation, and the same with another part in it."""
    assert before in operation
    return module(CONSTANT, operation), module(CONSTANT, operation.replace(before, after))


SAME = "identical"
PAIRS = {
    "module name": (module(*FULL), module(*FULL, name="jit_g"), SAME),
    "output keys": (
        module(*FULL, results=", res_attrs = [{jax.result_info = \"result['a{\\\"%1\\\"']\"}]"),
        module(*FULL, results=', res_attrs = [{jax.result_info = "result"}]'),
        SAME,
    ),
    "names of private functions": (module(*FULL), module(*FULL).replace("relu", "_where_0"), SAME),
    "order of private functions": (
        module(*FULL), module(*FULL, private=function("norm", NORM) + function("relu", RELU)), SAME,
    ),
    "another private function": (module(*FULL), module(*FULL).replace("stablehlo.maximum", "stablehlo.add"), "different"),
    "scalar constant": (*with_part(CONSTANT, "2.000000e+00", "-3.5"), "constants"),
    "infinite constant": (*with_part(CONSTANT, "2.000000e+00", "0x7F800000"), "constants"),
    "array constant": (*with_part(CONSTANT, "2.000000e+00", "[[1.0, -2.0], [3.0, 0xFF800000]]"), "constants"),
    "constant of bytes": (*with_part(CONSTANT, "2.000000e+00", '"0xDEADBEEF"'), "constants"),
    "elided constant": (*with_part(CONSTANT, "dense<2.000000e+00>", "dense_resource<0123abcd>"), "constants"),
    "where a slice begins": (*with_part(SLICE, "5, 4>, start_indices = array<i64: 2,", "6, 4>, start_indices = array<i64: 3,"), "constants"),
    "how long a slice is": (*with_part(SLICE, "i64: 5, 4>", "i64: 6, 4>"), "sizes"),
    "shape": (module(*FULL), module(*FULL).replace("<8x", "<16x"), "sizes"),
    "dynamic shape": (module(*FULL), module(*FULL).replace("<8x", "<?x"), "sizes"),
    "rank": (module(*FULL), module(*FULL).replace("<8x4", "<1x8x4"), "different"),
    "padding and window": (*with_part(WINDOW, "[[7, 0], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: 8", "[[5, 0], [0, 0]]> : tensor<2x2xi64>, window_dimensions = array<i64: 6"), "sizes"),
    "padding of one number": (*with_part(CONVOLUTION, "dense<1>", "dense<[[1, 2], [1, 2]]>"), "sizes"),
    "iota dimension": (*with_part(IOTA, "0 : i64", "1 : i64"), "different"),
    "dot dimensions": (*with_part(DOT, "lhs_contracting_dimensions = [1]", "lhs_contracting_dimensions = [0]"), "different"),
    "convolution dimensions": (*with_part(CONVOLUTION, "[b, 0, 1, f]x", "[b, 1, 0, f]x"), "different"),
    "convolution groups": (*with_part(CONVOLUTION, "feature_group_count = 1", "feature_group_count = 4"), "different"),
    "convolution strides": (*with_part(CONVOLUTION, "window_strides = array<i64: 1, 1>", "window_strides = array<i64: 2, 2>"), "different"),
    "dtype": (module(*FULL), module(*FULL).replace("xf32", "xbf16"), "dtype"),
    "integers": (module(*FULL), module(*FULL).replace("xf32", "xui8").replace("FLOAT", "UNSIGNED"), "dtype"),
    "bool": (module(*FULL), module(*FULL).replace("xi1>", "xi8>"), "different"),
    "precision": (*with_part(DOT, "precision DEFAULT", "precision HIGHEST"), "precision"),
    "no precision": (*with_part(DOT, ", precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]", ""), "precision"),
    "operation": (module(*FULL), module(*FULL[:-1]), "different"),
    "donation": (module(*FULL), module(*FULL, arguments="arg_attrs = [{tf.aliasing_output = 0 : i32}], "), "different"),
    "committed, GSPMD": (
        module(*FULL, arguments="arg_attrs = [{}], "),
        module(*FULL, arguments='arg_attrs = [{mhlo.sharding = "{devices=[4]<=[4]}"}], ').replace("partitions = 1", "partitions = 4"),
        "placement",
    ),
    "committed, Shardy": (
        module(*FULL),
        module(
            *FULL, arguments='arg_attrs = [{sdy.sharding = #sdy.sharding<@mesh, [{"x", ?}, {}]>}], ',
            mesh='  "sdy.mesh"() <{mesh = #sdy.mesh<["x"=4]>, sym_name = "mesh"}> {stablehlo.mesh = {axes = []}} : () -> ()\n',
        ),
        "placement",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pair_is_equal_up_to(name: str) -> None:
    one, other, expected = PAIRS[name]

    assert one != other
    assert compared(one, other) == expected


def after(operation: str) -> list[str]:
    """Operations with one between the second and the third, which takes its result."""
    third = '"stablehlo.add"(%2, %1) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>'
    return [CONSTANT, DOT, operation, third]


def without() -> list[str]:
    return [CONSTANT, DOT, '"stablehlo.add"(%1, %1) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>']


CONVERT = '"stablehlo.convert"(%1) : (tensor<8x8xf32>) -> tensor<8x8xf32>'
SHARDING = '{api_version = 1 : i32, backend_config = "", call_target_name = "Sharding"}'


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (CONVERT, "no_op"),
        (
            f'"stablehlo.custom_call"(%1) <{SHARDING}> {{mhlo.sharding = "{{replicated}}"}} : (tensor<8x8xf32>) -> '
            "tensor<8x8xf32>",
            "placement",
        ),
        (
            '"sdy.sharding_constraint"(%1) <{sharding = #sdy.sharding<@m, [{}, {}]>}> : (tensor<8x8xf32>) -> '
            "tensor<8x8xf32>",
            "placement",
        ),
        ('"stablehlo.negate"(%1) : (tensor<8x8xf32>) -> tensor<8x8xf32>', "different"),
        ('"stablehlo.custom_call"(%1) <{call_target_name = "f"}> : (tensor<8x8xf32>) -> tensor<8x8xf32>', "different"),
    ],
)
def test_operation_that_hands_its_operand_on(operation: str, expected: str) -> None:
    assert compared(module(*after(operation)), module(*without())) == expected


def test_converts_between_number_types_are_left_aside_with_the_dtype() -> None:
    there = '"stablehlo.convert"(%1) : (tensor<8x8xf32>) -> tensor<8x8xbf16>'

    assert compared(module(*after(there)), module(*without())) == "dtype"
    assert compared(module(*after(there.replace("xbf16", "xi1"))), module(*without())) == "different"


def test_result_of_several_is_handed_on() -> None:
    sort = '"stablehlo.sort"(%1, %1) <{dimension = 0 : i64}> : (tensor<8x8xf32>) -> tensor<8x8xf32>'
    use = '"stablehlo.add"(%2#1, %2#0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>'
    converted = [CONVERT.replace("%1", "%2#1"), CONVERT.replace("%1", "%3"), use.replace("%2#1", "%4")]
    texts = [module(CONSTANT, DOT, sort, *rest).replace("%2 =", "%2:2 =") for rest in ([use], converted)]
    swapped = texts[1].replace('"stablehlo.convert"(%2#1)', '"stablehlo.convert"(%2#0)')

    assert compared(*texts) == "no_op"
    assert compared(texts[0], swapped) == "different"


def test_name_that_comes_again_in_another_region_is_another_value() -> None:
    converts = f"    %1 = {CONVERT.replace('%1', '%0')}\n"
    use, last = '    %2 = "stablehlo.negate"({}) : (t) -> t\n    %1', '"stablehlo.add"({0}, {0}) : (t) -> t'
    one = module(CONSTANT, DOT, last.format("%1")).replace("    %1", converts + use.format("%1"), 1)
    other = module(CONSTANT, DOT, last.format("%1")).replace("    %1", use.format("%0"), 1)
    unlike = module(CONSTANT, DOT, last.format("%0")).replace("    %1", use.format("%0"), 1)

    assert compared(one, other) == "no_op"
    assert compared(one, unlike) == "different"


@pytest.mark.parametrize(
    "text", ["", "module {}", '"builtin.module"() ({', "}) : () -> ()", "%", "@", "\ud800", "{<[("]
)
def test_any_text_has_steps(text: str) -> None:
    assert len(steps_of(text)) == STEPS


@settings(deadline=None)
@given(st.text(alphabet=' \n%@#"<>{}[]()=x80f32,:-', max_size=60))
def test_steps_of_any_text(text: str) -> None:
    assert len(set(map(len, steps_of(f"{module(*FULL)}{text}")))) == 1


def test_identical_needs_equal_fingerprints_or_equal_text_and_target() -> None:
    steps = steps_of(module(*FULL))
    one, other = Program("a", "t", steps), Program("b", "t", steps)

    assert equal_up_to(Program("a"), Program("a")) == "identical"
    assert equal_up_to(one, other) == "identical"
    assert equal_up_to(one, Program("b", "u", steps)) == "target"


def test_unknown_text_proves_nothing() -> None:
    known, unknown = Program("a", "t", steps_of(module(*FULL))), Program("b", "t")

    assert equal_up_to(known, unknown) == equal_up_to(unknown, unknown.__class__("c", "t")) == ""
    assert equal_up_to(Program(""), Program("")) == ""


def test_text_of_a_callback_proves_only_a_difference() -> None:
    one, other = (program(module(*FULL), number, comparable=False) for number in (1, 2))

    assert equal_up_to(one, other) == equal_up_to(one, program(module(*FULL), 3)) == ""
    assert equal_up_to(one, program(module(CONSTANT, DOT), 3, comparable=False)) == "different"
    assert equal_up_to(one, one) == "identical"


operations = st.lists(
    st.sampled_from([CONSTANT, DOT, SLICE, WINDOW, CONVOLUTION, IOTA, COMPARE, CALL, CONVERT]), min_size=2, max_size=6
)
edits = st.lists(
    st.sampled_from(
        [
            ("2.000000e+00", "7"), ("<8x", "<9x"), ("xf32", "xf16"), ("DEFAULT", "HIGH"), ("num_partitions = 1", "num_partitions = 2"),
            ("i64: 2, 0", "i64: 1, 0"), ("maximum", "minimum"), (CONVERT, '"stablehlo.abs"(%1) : (t) -> t'),
        ]
    ),
    max_size=3,
)  # fmt: skip


@settings(deadline=None)
@given(operations, edits)
def test_equal_at_a_step_is_equal_at_all_later_ones(lines: list[str], changes: list[tuple[str, str]]) -> None:
    one = other = module(*lines)
    for before, after in changes:
        other = other.replace(before, after)
    equal = [a == b for a, b in zip(steps_of(one), steps_of(other), strict=True)]

    assert equal == sorted(equal)
    assert compared(one, other) in EQUALITIES


@settings(deadline=None)
@given(operations, st.permutations(range(40)), st.permutations(["relu", "norm", "x$-.", "_where_0", "main_"]))
def test_names_of_values_and_functions_do_not_matter(lines: list[str], numbers: list[int], names: list[str]) -> None:
    text = module(*lines)
    renamed = re.sub(r"%(arg)?(\d+)", lambda found: f"%{found[1] or ''}{numbers[int(found[2])]}", text)
    for number, name in enumerate(["relu", "norm"]):
        renamed = re.sub(rf'(@|sym_name = "){name}\b', rf"\g<1>~{number}", renamed)
    for number, name in enumerate(names[:2]):
        renamed = renamed.replace(f"~{number}", name)

    assert steps_of(renamed) == steps_of(text)
