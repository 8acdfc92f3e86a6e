"""Parts of Markdown as GitHub reads it. Untrusted text comes in through `code` and `prose` only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jitwatch._judge.codes import page_of
from jitwatch._model import Finding
from jitwatch._report.parts.findings_text import saved_text
from jitwatch._report.summary import cut_list, sort_findings
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import ELLIPSIS, clean, cut, short_place

_NOT_IN_CODE = "`|\\"
"""What ends a code span or a cell of a table, or escapes one that does."""
_NAMES_SOMEBODY = "@#"
"""What GitHub makes a mention or a reference of; a comment after it keeps it from that."""
_MARKUP = "\\`*_[]<|~&$"
_MAX_NAME = 100
_MAX_PROSE = 800
MAX_FINDINGS = 15


def code(text: str, limit: int = _MAX_NAME) -> str:
    """A name or a value, as code."""
    shown = cut(clean(text, limit * 2), limit)
    if not shown.strip():
        return "—"
    if not any(character in _NOT_IN_CODE for character in shown):
        return f"`{shown}`"
    entities = (one if one.isalnum() or one in " …" else f"&#{ord(one)};" for one in shown)
    return f"<code>{''.join(entities)}</code>"


def place_code(place: str) -> str:
    """A place in a file, as code."""
    return code(short_place(place, _MAX_NAME))


def prose(text: str, limit: int = _MAX_PROSE) -> str:
    """A sentence in which nothing is markup; the limit holds for the result."""
    pieces: list[str] = []
    left = limit
    for character in clean(text, limit):
        piece = _escaped(character)
        left -= len(piece)
        if left < 0:
            return "".join(pieces) + ELLIPSIS
        pieces.append(piece)
    return "".join(pieces)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], more: int = 0) -> str:
    """A table of cells that are Markdown; the last row says how many were left out."""
    lines = [head, ["---"] * len(head), *rows]
    if more:
        lines.append([f"… and {more:,} more", *[""] * (len(head) - 1)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def details(summary: str, body: str) -> str:
    """Content that is folded away under a line of plain words."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def findings_markdown(findings: Iterable[Finding], *, most: int | None = MAX_FINDINGS) -> Iterator[str]:
    """Blocks for findings, the most costly first: what to change, and the difference folded away."""
    shown = cut_list(sort_findings(findings), most)
    for finding in shown.shown:
        at = f" at {place_code(finding.call_site)}" if finding.call_site else ""
        saved = saved_text(finding)
        yield f"**{prose(finding.code, 20)}** {code(finding.function)}{at}{f': {saved}' if saved else ''}"
        yield f"> **Fix:** {prose(finding.advice)}"
        more = f"More: {code(f'jitwatch explain {finding.code}')}, {code(page_of(finding.code))}"
        yield details("What differs", f"Seen: {prose(finding.message)}\n\n{more}")
    if shown.more:
        yield f"… and {count_text(shown.more, 'more finding')}."


def _escaped(character: str) -> str:
    if character in _NAMES_SOMEBODY:
        return f"{character}<!-- -->"
    return f"\\{character}" if character in _MARKUP else character
