"""What an assertion allows, what was counted, and what is wrong with it. Pure."""

from __future__ import annotations

import msgspec

from jitwatch._model import Change

MAX_LISTED = 10


class Bounds(msgspec.Struct, frozen=True):
    """How often something may happen."""

    at_least: int
    at_most: int | None

    def allow(self, count: int) -> bool:
        """Whether so many are as they should be."""
        return self.at_least <= count and (self.at_most is None or count <= self.at_most)

    def text(self) -> str:
        """In words."""
        if self.at_least == self.at_most:
            return f"exactly {self.at_most}"
        most = "" if self.at_most is None else f"at most {self.at_most}"
        least = f"at least {self.at_least}" if self.at_least or not most else ""
        return " and ".join(filter(None, (least, most)))


class Event(msgspec.Struct, frozen=True):
    """One compilation or trace that was counted."""

    function: str
    defined_at: str
    place: str
    """The user's line."""
    kind: str
    """As in `Miss`."""
    loaded: bool
    """Whether the program came from the persistent compilation cache."""
    key_is_known: bool
    cause: str
    """The first of the changes; empty for a first compilation."""
    changes: tuple[Change, ...]
    advice: str


class Failure(msgspec.Struct, frozen=True):
    """An assertion that does not hold."""

    verb: str
    """`compiled`, `recompiled` or `traced`."""
    function: str
    """That the assertion is about; empty for all of them."""
    defined_at: str
    expected: str
    count: int
    loads: int
    """Of the count, programs from the persistent compilation cache."""
    reused: int
    """Of the count, programs that `jitwatch.reuse()` handed out."""
    events: tuple[Event, ...]
    """The first of them."""
    notes: tuple[str, ...]
    """What else helps to understand it."""
