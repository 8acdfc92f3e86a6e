"""Renders the page with Jinja2, which escapes every text, whatever the template. Imported when used, as Jinja2 is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from jitwatch._model import Finding, KeyStats, Process, Snapshot, Stages
from jitwatch._record.sums import lost_s, programs_of
from jitwatch._report.compared import Kept
from jitwatch._report.page import charts
from jitwatch._report.page.view import PageView, page_view
from jitwatch._report.parts.findings_text import saved_programs_text
from jitwatch._report.recording.bill_text import reusable_text
from jitwatch._report.timeline import STAGES
from jitwatch._words.function_text import function_text
from jitwatch._words.key_text import distinct_lines, key_lines
from jitwatch._words.quantity_text import count_text, seconds_text, share_text
from jitwatch._words.safe_text import clean, short_place

GENERATOR = '<meta name="generator" content="jitwatch">'
"""Stands in the first lines of every page: a file without it is not overwritten."""
_MAX_TEXT = 2_000
_KEY_COLUMNS = 110
_TEMPLATES = "templates"
_EQUALITY = {
    "first": "the first",
    "identical": "identical to an earlier one: not needed",
    "target": "the same module, for other devices or with other compile options",
    "placement": "the same but for placement",
    "no_op": "the same but for converts that do nothing",
    "precision": "the same but for precision",
    "constants": "the same but for constants: values that could be arguments",
    "sizes": "the same but for sizes",
    "dtype": "the same but for dtypes",
    "different": "different",
    "unknown": "not compared",
}


def render(
    snapshot: Snapshot, processes: Sequence[Process] = (), kept: Kept | None = None, *,
    top: int | None = None, sort: str = "spent",
) -> str:  # fmt: skip
    """The page of a snapshot, recorded in these processes, as one HTML file; the others are as for `page_view`."""
    view = page_view(snapshot, processes, kept, top=top, sort=sort)
    style, script = (Markup(_text_of(name)) for name in ("page.css", "page.js"))
    return _environment().get_template("page.html").render(
        page=view, generator=Markup(GENERATOR), style=style, script=script, style_hash=_hash(style),
        script_hash=_hash(script), most_s=max((one.row.lost_s for one in view.functions), default=0.0), sort=sort,
        when=_when(view),
    )  # fmt: skip


def recording_part(snapshot: Snapshot) -> str:
    """What a snapshot says, as the output of a notebook's cell."""
    return _notebook("recording", page=page_view(snapshot))


def function_part(snapshot: Snapshot) -> str:
    """The one function of a snapshot, likewise."""
    view = page_view(snapshot)
    return _notebook("function" if view.functions else "recording", page=view)


def key_part(stats: KeyStats) -> str:
    """A key with its counts, likewise."""
    return _notebook("key", key=stats, lines=key_lines(stats.key))


def _notebook(what: str, **values: Any) -> str:
    style = Markup(_text_of("notebook.css"))
    return _environment().get_template("notebook.html").render(what=what, notebook_style=style, **values)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jitwatch._report.page", _TEMPLATES), autoescape=True, finalize=_printable,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        seconds=seconds_text, count=count_text, saved=saved_programs_text, reusable=reusable_text, name=clean,
        place=short_place, share=share_text, programs=programs_of, lost=lost_s,
    )  # fmt: skip
    environment.globals.update(
        bill_bar=charts.bill_bar, bill_parts=charts.bill_parts, stages_bar=charts.stages_bar, cost_bar=charts.cost_bar,
        timeline_svg=charts.timeline_svg, sizes_svg=charts.sizes_svg, key_lines=_key_lines, hit_share=share_text,
        no_stages=Stages(), told=_told, stages=STAGES, stages_seen=_stages_seen, function_text=function_text,
        equality_words=_EQUALITY, zip=zip,
    )  # fmt: skip
    return environment


def _printable(value: Any) -> Any:
    """No text comes onto the page unseen: what could turn the line around or hide in it is written out."""
    return clean(value, _MAX_TEXT) if type(value) is str else value


def _text_of(name: str) -> str:
    return (files("jitwatch._report.page") / _TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> Markup:
    """For the page's content security policy: no other script or style can run in it."""
    return Markup("'sha256-{}'").format(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def _when(view: PageView) -> str:
    try:
        return f"{datetime.fromtimestamp(view.summary.unix_s, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):  # of a file from elsewhere
        return ""


def _key_lines(keys: Sequence[Any]) -> list[str]:
    return distinct_lines([(row.number, row.key) for row in keys], _KEY_COLUMNS)


def _stages_seen(page: PageView) -> list[str]:
    """The stages of a compilation, and those that stand in for one where they happened."""
    seldom = {"load": page.summary.headline.loads, "reuse": page.bill.reused}
    return [stage for stage in STAGES if seldom.get(stage, 1)]


def _told(finding: Finding) -> tuple[str, list[str]]:
    """The sentence of a finding, and what differs, one a line."""
    differing = finding.differences.removesuffix(".").replace(" -> ", " → ").split("; ")
    return finding.message.removesuffix(finding.differences).strip(), [line for line in differing if line]
