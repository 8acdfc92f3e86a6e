"""The options: what is valid where, and that the docs have all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitwatch import _config
from jitwatch._errors import JitwatchError
from jitwatch._report.sorting import _ORDERS

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = "| option | environment | also | default | valid |\n|---|---|---|---|---|\n"


def table() -> str:
    """The options as a Markdown table."""
    rows = []
    for name, option in _config.OPTIONS.items():
        variable = "-" if name == "acknowledged" else f"`JITWATCH_{name.upper()}`"
        default = "-" if option.default in (None, ()) else f"`{option.default}`"
        rows.append(f"| `{name}` | {variable} | {option.also or '-'} | {default} | {option.valid} |\n")
    return HEAD + "".join(rows)


def test_docs_have_the_options_as_they_are(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition("anew -->\n")
    _, end, after = rest.partition("<!-- end -->")
    made = before + begin + "\n" + table() + "\n" + end + after
    if request.config.getoption("--update-golden"):
        PAGE.write_text(made, encoding="utf-8")

    assert made == PAGE.read_text(encoding="utf-8")


def test_each_order_can_be_chosen() -> None:
    assert set(_config.SORTS) == set(_ORDERS)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pyproject.toml of the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pyproject.toml"


WRONG = {
    'mode = "loud"': "the value 'loud' for 'mode'; valid is one of 'warn', 'error', 'off'",
    'max_compiles = "3"': "the value '3' for 'max_compiles'; valid is a whole number of at least 1",
    "top = 0": "the value 0 for 'top'",
    "warn_s = -1": "the value -1 for 'warn_s'",
    'include = "train_*"': "the value 'train_*' for 'include'; valid is a list of globs",
    "omit = [3]": "the value [3] for 'omit'",
    'sort = "nme"': "the value 'nme' for 'sort'; valid is one of 'spent', 'recompiles', 'misses', 'name'",
    "sorte = 1": "the unknown option 'sorte'; did you mean 'sort'? Valid are acknowledged, include,",
    "nonsense = 1": "the unknown option 'nonsense'; valid are acknowledged,",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_line_of_pyproject_is_one_clear_error(line: str, project: Path) -> None:
    project.write_text(f"[tool.jitwatch]\n{line}\n")

    with pytest.raises(JitwatchError) as raised:
        _config.option(line.partition(" ")[0] if "unknown" not in WRONG[line] else "mode")

    assert f"[tool.jitwatch] in {project} has {WRONG[line]}" in str(raised.value)


def test_argument_wins_over_environment_and_that_over_pyproject(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_text('[tool.jitwatch]\nomit = ["a", "b"]\ntop = 5\n')
    written = _config.option("omit")
    monkeypatch.setenv("JITWATCH_OMIT", "c*, d")
    monkeypatch.setenv("JITWATCH_TOP", "7")

    assert written == ("a", "b")
    assert (_config.option("omit"), _config.option("top")) == (("c*", "d"), 7)
    assert (_config.option("omit", ("e",)), _config.option("top", 9)) == (("e",), 9)


@pytest.mark.parametrize(
    ("variable", "value"), [("MAX_KEYS", "many"), ("TOP", "2.5"), ("WARN_S", "nan"), ("MODE", "x")]
)
def test_wrong_variable_is_one_clear_error(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"JITWATCH_{variable}", value)

    with pytest.raises(JitwatchError, match=f"variable JITWATCH_{variable} has the value {value!r}"):
        _config.option(variable.lower())
