"""One function of the text report: its totals, its keys as a table (as a list where it is narrow), and its notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from jitwatch._model import CallSite, Miss, Stages
from jitwatch._record.sums import lost_s
from jitwatch._report.summary import FunctionRow, KeyRow, Moment, cut_list
from jitwatch._words.equality_text import equalities_text
from jitwatch._words.function_text import function_text, is_nameless
from jitwatch._words.key_text import distinct_lines
from jitwatch._words.quantity_text import count_text, seconds_text, share_text, times_text
from jitwatch._words.safe_text import ELLIPSIS, clean, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_INDENT = 2
_LABEL_WIDTH = 8
_MAX_CALL_SITES = 3
_MAX_MOMENTS = 3
_MAX_CONTEXT = 8
_MAX_NUMBERS = 8
_MAX_SHARED = 3
_TABLE_FROM = 80
"""Columns from which on keys stand in a table; below it, their text gets lines of its own."""
_GAP = 2
_WRAPPING = 8

_UNKEYED = {"aot": "ahead of time", "backward": "backward pass"}
"""What a miss without a key was, by its kind."""

_Labelled = tuple[str, str, str]
"""A label, what it says, and the style of that."""


class _Column(NamedTuple):
    """A column of the keys table; one that is not always there shows only where a key has something to say in it."""

    head: str
    always: bool
    telling: Callable[[KeyRow], bool]
    text: Callable[[KeyRow], str]


def _count(head: str, number: Callable[[KeyRow], int], *, always: bool = False) -> _Column:
    return _Column(head, always, lambda row: number(row) > 0, lambda row: f"{number(row):,}")


_COLUMNS = (
    _Column("key", True, lambda row: True, lambda row: str(row.number)),
    _Column("objects", False, lambda row: row.objects > 1, lambda row: f"{row.objects:,}"),
    _count("hits", lambda row: row.hits),
    _count("misses", lambda row: row.misses, always=True),
    _count("nested", lambda row: row.nested),
    _count("failed", lambda row: row.failures),
    _count("compiles", lambda row: row.stages.compiles, always=True),
    _count("loads", lambda row: row.stages.loads),
    _count("reused", lambda row: row.stages.reused),
    _Column("spent", True, lambda row: True, lambda row: seconds_text(row.lost_s)),
)


def function_block(
    row: FunctionRow, columns: int, equalities: Mapping[str, int] = MappingProxyType({})
) -> Iterator[RenderableType]:
    """Give the parts of one function's report, top to bottom, for so many terminal columns.

    Args:
        row: The function.
        columns: Of the terminal.
        equalities: How far its programs are the same as earlier ones, as for `equalities_text`.
    """
    from rich.text import Text

    yield _title(row, columns)
    yield _indented(_labelled(_totals(row, equalities_text(equalities))))
    if row.keys.shown:
        layout = _keys_table if columns >= _TABLE_FROM else _keys_list
        yield _indented(layout(row.keys.shown, columns - _INDENT))
    if row.keys.more:
        yield _indented(Text(f"{ELLIPSIS} {count_text(row.keys.more, 'more key')}", style="dim"))
    yield _indented(_labelled(_circumstances(row)))


def _indented(part: RenderableType) -> RenderableType:
    from rich.padding import Padding

    return Padding(part, (0, 0, 0, _INDENT))


def _title(row: FunctionRow, columns: int) -> Text:
    from rich.text import Text

    title = Text(overflow="fold")
    title.append(function_text(row.name, row.qualname, row.defined_at), style="bold cyan")
    if row.objects > 1:
        title.append(f" {times_text(row.objects)} objects", style="bold yellow")
    if row.defined_at and not is_nameless(row.name):
        rest = columns - len(title) - _GAP
        title.append(" " * _GAP + short_place(row.defined_at, rest if rest >= 24 else columns), style="dim")
    return title


def _totals(row: FunctionRow, programs: str) -> Iterator[_Labelled]:
    yield "calls", _calls_text(row), ""
    recompiles = f"; {count_text(row.recompiles, 'recompile')}" if row.recompiles else ""
    yield "spent", f"{_spent_text(row.stages)}{recompiles}", ""
    for what, stages in (("ahead of time", row.aot), ("for backward passes", row.backward)):
        if stages != Stages():
            yield "", f"of this {what} {_spent_text(stages)}", ""
    if programs:
        yield "programs", programs, ""
    if row.helpers != Stages():
        yield "helpers", f"{_spent_text(row.helpers)}; to place arguments, or eager operations while tracing", ""
    if row.options:
        yield "options", ", ".join(f"{clean(name, 40)}={clean(value, 80)}" for name, value in row.options), ""


def _calls_text(row: FunctionRow) -> str:
    nested = f"{count_text(row.nested, 'nested call')} (in a trace or transform)" if row.nested else ""
    if not row.calls:
        return nested or "none"
    if not row.hits_counted:
        text = f"{count_text(row.misses, 'miss', 'misses')}; hits not counted"
        return f"{text}; {nested}" if nested else text
    text = f"{row.calls:,} = {count_text(row.hits, 'hit')} + {count_text(row.misses, 'miss', 'misses')}"
    text += f", {share_text(row.hits, row.calls)} hits"
    if row.dispatch_only:
        text += f"; {count_text(row.dispatch_only, 'miss', 'misses')} ran no stage (dispatch only)"
    return f"{text}; {nested}" if nested else text


def _spent_text(stages: Stages) -> str:
    parts = [
        f"{count_text(count, noun)} {seconds_text(seconds)}" if seconds else count_text(count, noun)
        for count, noun, seconds in (
            (stages.traces, "trace", stages.trace_s),
            (stages.lowerings, "lowering", stages.lower_s),
            (stages.compiles, "compile", stages.compile_s),
            (stages.loads, "load", stages.load_s),
            (stages.reused, "reuse", stages.reuse_s),
        )
        if count or seconds
    ]
    return f"{seconds_text(lost_s(stages))}: {', '.join(parts)}" if parts else "nothing"


def _circumstances(row: FunctionRow) -> Iterator[_Labelled]:
    if row.shared:
        yield "shared", _shared_text(row.shared), ""
    if row.call_sites:
        yield "from", _call_sites_text(row.call_sites), ""
    if row.moments:
        yield "when", _moments_text(row.moments), ""
    if row.failures:
        yield "failed", _failures_text(row.failures, row.last_failure), "red"
    for note in _notes(row):
        yield "note", note, "yellow"


def _call_sites_text(call_sites: tuple[CallSite, ...]) -> str:
    sites = cut_list(call_sites, _MAX_CALL_SITES)
    texts = [f"{short_place(site.place, 100)} ({count_text(site.misses, 'miss', 'misses')})" for site in sites.shown]
    return ", ".join([*texts, f"{ELLIPSIS} {count_text(sites.more, 'more line')}"] if sites.more else texts)


def _moments_text(moments: tuple[Moment, ...]) -> str:
    newest = cut_list(moments, _MAX_MOMENTS)
    texts = [_moment_text(moment) for moment in newest.shown]
    return ", ".join([*texts, f"{ELLIPSIS} {newest.more:,} earlier"] if newest.more else texts)


def _moment_text(moment: Moment) -> str:
    context = " ".join(f"{clean(name, 40)}={clean(text, 80)}" for name, text in moment.context[:_MAX_CONTEXT])
    what = _UNKEYED.get(moment.kind, "") if moment.key is None else _numbers_text((moment.key,))
    return f"{context} ({what})" if what else context


def _shared_text(shared: tuple[tuple[int, ...], ...]) -> str:
    groups = cut_list(shared, _MAX_SHARED)
    more = f", {ELLIPSIS} {count_text(groups.more, 'more executable')}" if groups.more else ""
    return f"one executable serves {', another '.join(map(_numbers_text, groups.shown))}{more}"


def _failures_text(failures: int, last: Miss | None) -> str:
    text = count_text(failures, "call")
    if last is None:
        return text
    place = f" at {short_place(last.failed_at, 100)}" if last.failed_at else ""
    argument = f", argument {clean(last.failed_argument, 80)}" if last.failed_argument else ""
    return f"{text}; last: {clean(last.failed or 'exception', 80)}{place}{argument}"


def _notes(row: FunctionRow) -> Iterator[str]:
    if row.objects > 1:
        yield f"{row.objects:,} function objects were made at this line; each starts with empty caches"
    if row.slow_keys:
        verb = "uses" if len(row.slow_keys) == 1 else "use"
        yield f"{_numbers_text(row.slow_keys)} never {verb} the fast path: every call takes the slow dispatch"
    if row.dropped_keys:
        dropped = count_text(row.dropped_keys, "miss", "misses")
        yield f"{dropped} with further keys, beyond the bound max_keys: in the totals, but not listed"
    if row.approximate:
        yield "approximate: with this JAX, misses are told from the size of the cache"


def _numbers_text(numbers: tuple[int, ...]) -> str:
    shown = cut_list(numbers, _MAX_NUMBERS)
    text = ", ".join(map(str, shown.shown)) + (f", {ELLIPSIS} {shown.more:,} more" if shown.more else "")
    return f"{'key' if len(numbers) == 1 else 'keys'} {text}"


def _labelled(lines: Iterable[_Labelled]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=_LABEL_WIDTH - 1)
    table.add_column(overflow="fold")
    for label, text, style in lines:
        table.add_row(label, Text(text, style=style))
    return table


def _keys_table(rows: tuple[KeyRow, ...], width: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    shown = _shown_columns(rows)
    cells = [[column.text(row) for row in rows] for column in shown]
    used = sum(max(map(len, (column.head, *texts))) + _GAP for column, texts in zip(shown, cells, strict=True))
    rest = max(width - used, 20)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for column in shown:
        table.add_column(column.head, justify="right", no_wrap=True)
    table.add_column("called with", width=rest, overflow="fold")
    for numbers, line in zip(zip(*cells, strict=True), _key_texts(rows, rest), strict=True):
        table.add_row(*numbers, Text(line))
    return table


def _keys_list(rows: tuple[KeyRow, ...], width: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    shown = [column for column in _shown_columns(rows) if column.head != "key"]
    numbers = [f"key {row.number}" for row in rows]
    rest = max(width - max(map(len, numbers)) - _GAP, 10)
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row, number, line in zip(rows, numbers, _key_texts(rows, rest), strict=True):
        counts = ", ".join(f"{column.head} {column.text(row)}" for column in shown)
        table.add_row(number, Text(f"{line}\n{counts}"))
    return table


def _key_texts(rows: tuple[KeyRow, ...], width: int) -> list[str]:
    # One line for each key, or two at need: where words wrap is not known here, so not their full length.
    return distinct_lines([(row.number, row.key) for row in rows], width, wrapped_width=2 * width - _WRAPPING)


def _shown_columns(rows: tuple[KeyRow, ...]) -> list[_Column]:
    return [column for column in _COLUMNS if column.always or any(map(column.telling, rows))]
