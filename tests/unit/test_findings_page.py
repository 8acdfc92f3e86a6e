"""docs/findings.md and the codes agree, and `jitwatch explain` prints it."""

from __future__ import annotations

import ast
import re

import pytest
from click.testing import CliRunner, Result

from jitwatch._cli.main import main
from jitwatch._judge import codes, notes
from jitwatch._report.findings_page import sections

CAUSES = {code: cause for cause, code in codes.CODES.items()}


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    known = {value for name, value in vars(notes).items() if name.isupper() and re.fullmatch(r"JW\d{3}", str(value))}

    assert CAUSES.keys() <= sections().keys() <= CAUSES.keys() | known


@pytest.mark.parametrize("code", CAUSES)
def test_a_section_is_about_its_code_and_its_code_can_be_pasted(code: str) -> None:
    section = sections()[code]
    before, after = section.partition("# before\n")[2].split("# after\n")

    assert section.startswith(f"{code} ") and f"(cause `{CAUSES[code]}`)" in section
    assert ast.parse(before)
    assert ast.parse(after.rpartition("\n\n")[0])
    assert "```" not in section and "](" not in section


def test_explain_prints_a_section_and_its_place() -> None:
    result = explain("jw301")

    assert result.exit_code == 0
    assert result.output.startswith("JW301 a function is made anew")
    assert result.output.endswith("\ndocs/findings.md#jw301\n")


def test_explain_lists_the_codes() -> None:
    result = explain()

    assert [line.split()[0] for line in result.output.splitlines()] == sorted(sections())
    assert "JW101  a shape changes\n" in result.output


def test_explain_says_which_codes_there_are() -> None:
    result = explain("JW999")

    assert result.exit_code == 1
    assert "'JW999' is no code of a finding; codes are JW101, JW102" in result.output
