"""The options: what is valid where, and that the docs have all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitwatch import _config
from jitwatch._cli.main import main
from jitwatch._errors import JitwatchError
from jitwatch._report.sorting import _ORDERS

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = "| option | environment | also | default | valid |\n|---|---|---|---|---|\n"


def table() -> str:
    """The options as a Markdown table."""
    rows = []
    for name, option in _config.OPTIONS.items():
        variable = "-" if name == "acknowledged" else f"`JITWATCH_{name.upper()}`"
        value = str(option.default).lower() if isinstance(option.default, bool) else option.default
        default = "-" if value in (None, ()) else f"`{value}`"
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


NO_SETTINGS = {
    "run": "module code output force append json_file html_file program",
    "report": "format_name files", "json": "output files", "html": "output files", "trace": "output files",
    "tail": "files", "diff": "before after format_name output", "check": "update prune format_name output recordings",
    "combine": "output files", "warm-up": "name files", "erase": "files", "explain": "code", "debug": "with_jax",
}  # fmt: skip
"""What each command is given for one time: files, forms, and what to do with them."""


@pytest.mark.parametrize("name", sorted(set(main.commands) - {"programs", "autostart"}))
def test_each_other_option_of_a_command_is_a_setting(name: str) -> None:
    given = {str(parameter.name) for parameter in main.commands[name].params}
    once = set(NO_SETTINGS[name].split())

    assert once <= given
    assert given - once <= set(_config.OPTIONS)
    for option in given - once:
        written = f"--{option.replace('_', '-')}`"
        assert written in _config.OPTIONS[option].also


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
    "sorte = 1": "the unknown option 'sorte'; did you mean 'sort'? Valid are acknowledged, budget,",
    "warn = 1": "the value 1 for 'warn'; valid is true or false: whether a run says",
    'fail_over = "soon"': "the value 'soon' for 'fail_over'; valid is a duration, such as '10s'",
    'fail_on = "more"': "the value 'more' for 'fail_on'; valid is one of 'increase', 'any'",
    'budget = ""': "the value '' for 'budget'; valid is a file",
    "programs = 3": "the value 3 for 'programs'; valid is a folder",
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


def test_a_path_of_pyproject_starts_at_its_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_text('[tool.jitwatch]\nbudget = "ci/budget.toml"\nprograms = "/tmp/programs"\n')
    (project.parent / "below").mkdir()
    monkeypatch.chdir(project.parent / "below")

    assert _config.option("budget") == str(project.parent / "ci" / "budget.toml")
    assert _config.option("programs") == "/tmp/programs"
    monkeypatch.setenv("JITWATCH_BUDGET", "mine.toml")
    assert _config.option("budget") == "mine.toml"


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10.0), ("500ms", 0.5), ("2 min", 120.0), ("1h", 3600.0), ("3", 3.0)]
)
def test_a_duration_has_a_unit(text: str, seconds: float, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_text(f'[tool.jitwatch]\nfail_over = "{text}"\n')

    assert _config.option("fail_over") == pytest.approx(seconds)
    monkeypatch.setenv("JITWATCH_FAIL_OVER", "250ms")
    assert _config.option("fail_over") == 0.25


@pytest.mark.parametrize(("text", "on"), [("1", True), ("yes", True), ("0", False), ("Off", False)])
def test_a_variable_switches_a_setting_of_pyproject(
    text: str, on: bool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_text(f"[tool.jitwatch]\nquiet = {str(not on).lower()}\n")
    monkeypatch.setenv("JITWATCH_QUIET", text)

    assert _config.option("quiet") is on


@pytest.mark.parametrize(
    ("variable", "value"), [("MAX_KEYS", "many"), ("TOP", "2.5"), ("WARN_S", "nan"), ("MODE", "x"), ("LIVE", "maybe")]
)
def test_wrong_variable_is_one_clear_error(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"JITWATCH_{variable}", value)

    with pytest.raises(JitwatchError, match=f"variable JITWATCH_{variable} has the value {value!r}"):
        _config.option(variable.lower())
