"""The page's drawings as SVG, from the view model. Lengths are in percent, so that they fit any width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from markupsafe import Markup

from jitwatch._model import Finding, Stages
from jitwatch._report.bill import EVIDENCE, Bill
from jitwatch._report.details import Sizes
from jitwatch._report.timeline import STAGES, Lane, Slice, Timeline
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, cut

LANE_PX = 30
_AXIS_PX = 24
_NARROWEST = 0.06
"""Percent of the width that a slice takes at least, so that it can be seen and pointed at."""
_ZOOMS = (1, 4, 16, 64)
"""How many times as wide as the screen the timeline can be made."""
_MARK_DISTANCE, _MARK_WIDTH = 16.0, 14
"""Percent between two labels of the user's context, and their characters."""
_LABEL_DISTANCE = 8.0
_HISTOGRAM_PX = 110
_MAX_BARS = 100
_BILL = {
    "proved": "proved waste", "likely": "likely waste", "possible": "possible waste",
    "needed": "needed, such as first compiles", "rest": "the rest of the run",
}  # fmt: skip


def bill_parts(bill: Bill) -> list[tuple[str, str, float]]:
    """Name, words and seconds of each part of the bill that is not empty."""
    parts = (*bill.saved_s, ("needed", bill.needed_s), ("rest", bill.rest_s))
    return [(name, _BILL[name], seconds) for name, seconds in parts if seconds > 0]


def bill_bar(bill: Bill) -> Markup:
    """The bill as one bar."""
    return _bar("bill", ((name, f"{words}: {seconds_text(s)}", s) for name, words, s in bill_parts(bill)))


def stages_bar(stages: Stages) -> Markup:
    """Seconds of one function by stage."""
    seconds = ((name, getattr(stages, f"{name}_s")) for name in STAGES)
    return _bar("stages", ((name, f"{name}: {seconds_text(s)}", s) for name, s in seconds if s > 0))


def cost_bar(lost_s: float, findings: Sequence[Finding], most_s: float) -> Markup:
    """Seconds of a function against those of the most costly one, with what findings say could be saved."""
    scale = 100 / most_s if most_s else 0
    saved = [(name, sum(one.lost_s for one in findings if one.evidence == name)) for name in EVIDENCE]
    parts, at = [], 0.0
    for name, seconds in (*saved, ("needed", lost_s)):
        width = min(seconds, lost_s - at)
        if width > 0:
            parts.append(Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="100%"/>').format(
                name, at * scale, width * scale
            ))  # fmt: skip
            at += width
    return Markup('<svg class="cost" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def _bar(kind: str, parts: Iterable[tuple[str, str, float]]) -> Markup:
    found = list(parts)
    total = sum(seconds for _, _, seconds in found) or 1.0
    at = 0.0
    pieces = []
    for name, words, seconds in found:
        width = 100 * seconds / total
        pieces.append(
            Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" height="100%"><title>{}</title></rect>').format(
                name, at, width, words
            )
        )
        at += width
    label = ", ".join(words for _, words, _ in found)
    svg = Markup('<svg class="bar {}" role="img" aria-label="{}">{}</svg>')
    return svg.format(kind, label, Markup("").join(pieces))


def timeline_svg(timeline: Timeline, names: Mapping[int, str], anchors: Mapping[int, str]) -> Markup:
    """Stages of all misses over the run, one lane below the other; names and anchors are by function."""
    has_marks = bool(timeline.marks)
    top = _AXIS_PX + (_AXIS_PX if has_marks else 0)
    height = top + LANE_PX * len(timeline.lanes)
    parts = [*_ticks(timeline, height)]
    if has_marks:
        parts += _marks(timeline)
    for number, lane in enumerate(timeline.lanes):
        parts += _lane(lane, top + number * LANE_PX, timeline.duration_s, names, anchors)
    count = sum(one.count for lane in timeline.lanes for one in lane.slices)
    label = f"{count_text(count, 'miss', 'misses')} over {seconds_text(timeline.duration_s)}"
    svg = Markup('<svg role="img" width="100%" height="{}" aria-label="{}">{}</svg>')
    return svg.format(height, label, Markup("").join(parts))


def _lane(
    lane: Lane, top: int, duration_s: float, names: Mapping[int, str], anchors: Mapping[int, str]
) -> Iterator[Markup]:
    scale = 100 / duration_s
    yield Markup('<line class="rule" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(top + LANE_PX - 0.5)
    for one in lane.slices:
        width = max(one.seconds * scale, _NARROWEST)
        at = min(one.start_s * scale, 100 - width)
        rects = []
        for stage in STAGES:
            share = getattr(one.stages, f"{stage}_s") / one.seconds
            if share > 0:
                rects.append(
                    Markup('<rect class="{}" x="{:.3f}%" y="{}" width="{:.3f}%" height="{}"/>').format(
                        stage, at, top + 5, width * share, LANE_PX - 10
                    )
                )
                at += width * share
        yield Markup("<g{}><title>{}</title>{}</g>").format(
            Markup(' data-to="{}"').format(anchors[one.function]) if one.function in anchors else "",
            _slice_text(one, names), Markup("").join(rects),
        )  # fmt: skip


def _slice_text(one: Slice, names: Mapping[int, str]) -> str:
    name = clean(names.get(one.function, "?"), 80)
    stages = ", ".join(
        f"{stage} {seconds_text(seconds)}" for stage in STAGES if (seconds := getattr(one.stages, f"{stage}_s")) > 0
    )
    if one.count > 1:
        return f"{count_text(one.count, 'miss', 'misses')}, most of it {name}: {stages}"
    key = f", key {one.key}" if one.key is not None else ""
    context = "".join(f"\n{clean(key, 40)}={clean(value, 60)}" for key, value in one.context[:8])
    return f"{name}{key} at {seconds_text(one.start_s)}: {stages}{context}"


def _ticks(timeline: Timeline, height: int) -> Iterator[Markup]:
    """Round moments, more of them the closer the timeline is looked at."""
    for zoom in _ZOOMS:
        step = _round_step(timeline.duration_s / 6 / zoom)
        for number in range(int(timeline.duration_s / step) + 1):
            share = 100 * number * step / timeline.duration_s
            if share <= 100 - 3 / zoom:
                yield Markup(
                    '<g class="tick z{0}"><line x1="{1:.3f}%" x2="{1:.3f}%" y1="0" y2="{2}"/>'
                    '<text x="{1:.3f}%" dx="4" y="13">{3}</text></g>'
                ).format(zoom, share, height, _moment(number * step, step))


def _moment(seconds: float, step: float) -> str:
    """As exact as the step between two moments is."""
    if step >= 1 and seconds >= 60:
        return seconds_text(seconds)
    decimals = max(0, -math.floor(math.log10(step)))
    return f"{seconds:,.{decimals}f} s"


def _round_step(seconds: float) -> float:
    power = 1e-9
    while power * 10 <= seconds:
        power *= 10
    return next((power * factor for factor in (1, 2, 5) if power * factor >= seconds), power * 10)


def _marks(timeline: Timeline) -> Iterator[Markup]:
    """What the program said of moments, where there is room for the words."""
    last = -_MARK_DISTANCE
    for at_s, context in timeline.marks:
        at = 100 * at_s / timeline.duration_s
        words = cut(" ".join(f"{clean(name, 20)} {clean(value, 20)}" for name, value in context[:2]), _MARK_WIDTH)
        whole = ", ".join(f"{clean(name, 40)}={clean(value, 60)}" for name, value in context[:8])
        text = Markup('<text x="{:.3f}%" dx="4" y="{}">{}</text>').format(at, _AXIS_PX + 13, words)
        room = at - last >= _MARK_DISTANCE and at < 88
        last = at if room else last
        yield Markup('<g class="mark"><title>{}</title><line x1="{:.3f}%" x2="{:.3f}%" y1="{}" y2="{}"/>{}</g>').format(
            whole, at, at, _AXIS_PX * 2 - (22 if room else 5), _AXIS_PX * 2, text if room else ""
        )


def sizes_svg(sizes: Sizes) -> Markup:
    """How often each size was called, with the suggested buckets."""
    low, high = sizes.calls[0][0], sizes.calls[-1][0]
    span = max(high - low, 1)
    bars = _binned(sizes.calls, -(-span // _MAX_BARS))
    most = max(count for _, _, count in bars)
    width = max(min(60 / len(bars), 94 / (span + 1)), 0.5)
    foot = _HISTOGRAM_PX - 20

    def at(size: int) -> float:
        return 2 + (96 - width) * (size - low) / span

    parts = []
    for first, last, count in bars:
        height = max((foot - 22) * count / most, 2)
        words = f"{first:,}" + (f" to {last:,}" if last != first else "") + f": {count_text(count, 'call')}"
        parts.append(
            Markup('<rect class="size" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"><title>{}</title></rect>')
            .format(at(first), foot - height, width, height, words)
        )  # fmt: skip
    labels: list[float] = []
    for size in sizes.buckets.sizes:
        place = at(size) + width
        room = all(abs(place - other) > _LABEL_DISTANCE for other in labels)
        labels += [place] * room
        text = Markup('<text x="{:.2f}%" y="11" text-anchor="{}">{:,}</text>').format(
            place, "end" if place > 50 else "start", size
        )
        parts.append(
            Markup('<g class="bucket"><line x1="{0:.2f}%" x2="{0:.2f}%" y1="16" y2="{1}"/>{2}</g>').format(
                place, foot, text if room else ""
            )
        )
    parts.append(
        Markup(
            '<line class="rule" x1="0" x2="100%" y1="{0}" y2="{0}"/><text x="2%" y="{1}">{2:,}</text>'
            '<text x="{3:.2f}%" y="{1}" text-anchor="end">{4:,}</text>'
        ).format(foot + 0.5, foot + 15, low, 98, high)
    )
    label = f"Calls by size, {low:,} to {high:,}; pad to {', '.join(f'{size:,}' for size in sizes.buckets.sizes)}"
    return Markup('<svg class="histogram" role="img" height="{}" width="100%" aria-label="{}">{}</svg>').format(
        _HISTOGRAM_PX, label, Markup("").join(parts)
    )


def _binned(calls: Sequence[tuple[int, int]], width: int) -> list[tuple[int, int, int]]:
    """First size, last size and calls of each stretch of so many sizes that has any."""
    bins: dict[int, tuple[int, int, int]] = {}
    for size, count in calls:
        first, _, known = bins.get(size // width, (size, size, 0))
        bins[size // width] = first, size, known + count
    return list(bins.values())
