"""The text of a failed test assertion: what was expected, what ran instead, why each time, and what helps."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from jitwatch._explain.explain import change_text
from jitwatch._judge.codes import CODES
from jitwatch._model import Change
from jitwatch._testing.verdict import MAX_LISTED, Event, Failure
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import clean, short_place

_MAX_CHANGES = 4
_MAX_ADVICE = 3
_MAX_TEXT = 600
_MAX_NAMES = 5
_KINDS = {"aot": "ahead of time", "backward": "for a backward pass or another transform of it"}


def failure_text(failure: Failure) -> str:
    """The message of the `AssertionError`."""
    lines = [f"{_headline(failure)}, expected {failure.expected}."]
    several = not failure.function or len({(event.function, event.defined_at) for event in failure.events}) > 1
    shown = failure.events[:MAX_LISTED]
    first = "first trace" if failure.verb == "traced" else "first compilation"
    lines += [f"  {number}. {_event_text(event, first, several)}" for number, event in enumerate(shown, 1)]
    if failure.count > len(shown):
        lines.append(f"  … and {failure.count - len(shown):,} more")
    lines += [f"  {note}" for note in (*failure.notes, *_load_notes(failure))]
    advice = {event.cause: event.advice for event in shown if event.advice}  # the last one knows of most calls
    for cause, each in list(advice.items())[:_MAX_ADVICE]:
        lines.append(
            f"  fix: {clean(each, _MAX_TEXT)}" + (f" [jitwatch explain {CODES[cause]}]" if cause in CODES else "")
        )
    return "\n".join(lines)


def function_text(name: str, defined_at: str) -> str:
    """A function with the line of its definition."""
    return f"{clean(name, 80)} ({short_place(defined_at)})" if defined_at else clean(name, 80)


def never_called_note(name: str, known: Sequence[str]) -> str:
    """For a function of which nothing was ever seen: that, and names like its own."""
    near = difflib.get_close_matches(name, sorted(set(known)), n=_MAX_NAMES)
    like = f" Names like it: {', '.join(clean(each, 80) for each in near)}." if near else ""
    return f"It was never called, or was compiled before jitwatch began to watch.{like}"


def _headline(failure: Failure) -> str:
    count, verb = failure.count, failure.verb
    if not failure.function:
        return f"{count_text(count, 'program')} {'was' if count == 1 else 'were'} {verb}"
    name = function_text(failure.function, failure.defined_at)
    if not count:
        return f"{name} was not {verb}"
    return f"{name} {verb} {'once' if count == 1 else f'{count:,} times'}"


def _event_text(event: Event, first: str, with_name: bool) -> str:
    name = f"{function_text(event.function, event.defined_at)}: " if with_name else ""
    place = f"at {short_place(event.place)}" if event.place else ""
    what = _KINDS.get(event.kind, "") or ("" if event.key_is_known else "for a key that is not known")
    if not event.cause and not what:
        what = first
    loaded = "loaded from the persistent cache" if event.loaded else ""
    text = ", ".join(filter(None, (what, loaded, place)))
    changes = "; ".join(_changes(event.changes))
    text = f"{text}: {changes}" if text and changes else text + changes
    return f"{name}{text}" + (f"  [{event.cause}]" if event.cause else "")


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes[:_MAX_CHANGES]:
        yield clean(change_text(change), _MAX_TEXT)
    if len(changes) > _MAX_CHANGES:
        yield f"and {len(changes) - _MAX_CHANGES} more"


def _load_notes(failure: Failure) -> Iterator[str]:
    if failure.loads:
        were = "was loaded" if failure.loads == 1 else "were loaded"
        yield (
            f"{failure.loads:,} of these {were} from the persistent compilation cache; a load counts as a compilation,"
            " so that a test does not depend on what an earlier run left on the disk."
        )
    if failure.reused:
        were = "was reused" if failure.reused == 1 else "were reused"
        yield (
            f"{failure.reused:,} of these {were}; a reuse counts as a compilation, so that a test does not depend on"
            " what ran before it."
        )
