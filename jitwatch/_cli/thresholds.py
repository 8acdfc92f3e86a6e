"""Limits on the bill of a recording, for CI: what `report --fail-over` and `--fail-proved` ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from jitwatch import _config

_MAX_NAMED = 5


class Seconds(click.ParamType[float]):
    """A duration with its unit; seconds without one."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a duration; not valid ones are refused with what is."""
        try:
            return _config.duration(value)
        except ValueError:
            self.fail(f"{value!r} is no duration; write 10s, 500ms, 2min or 1h.", param, ctx)


def failures(data: Any, processes: Sequence[Any], *, over_s: float | None, proved: bool) -> list[str]:
    """What is over a limit, in words; empty where all is as it should be.

    Args:
        data: The snapshot.
        processes: Where it was recorded.
        over_s: Seconds that may be needless; None for no limit.
        proved: Whether a proved finding fails.
    """
    if over_s is None and not proved:
        return []
    from jitwatch._report.bill import bill_of
    from jitwatch._report.summary import summarize
    from jitwatch._words.quantity_text import count_text, seconds_text
    from jitwatch._words.safe_text import clean

    findings = summarize(data).findings
    failed = []
    needless_s = bill_of(data, findings, processes).needless_s
    if over_s is not None and needless_s > over_s:
        failed.append(f"{seconds_text(needless_s)} of compiling was not needed; --fail-over is {seconds_text(over_s)}.")
    sure = [finding for finding in findings if finding.evidence == "proved"]
    if proved and sure:
        named = ", ".join(f"{finding.code} {clean(finding.function, 60)}" for finding in sure[:_MAX_NAMED])
        more = f" and {len(sure) - _MAX_NAMED} more" if len(sure) > _MAX_NAMED else ""
        failed.append(f"{count_text(len(sure), 'finding')} proved, which --fail-proved forbids: {named}{more}.")
    return failed
