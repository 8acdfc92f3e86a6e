"""Whom capture tells of what is under way: policy, handed in by `begin`. Capture itself decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from jitwatch import _state
from jitwatch._model import Alert, CacheKey
from jitwatch._record.function_record import FunctionRecord, KeyRecord

if TYPE_CHECKING:
    from jitwatch._capture.events.frames import Frame


class Begun(NamedTuple):
    """A stage that is about to run."""

    stage: str
    """`trace`, `lower`, `compile` (XLA, or what stands in for it) or `xla` (nothing did)."""
    name: str
    """Of the program."""
    function: FunctionRecord | None
    """The watched function whose call, or use ahead of time, needs the stage for itself; None for anything else."""
    key: CacheKey | None
    """Of that call."""
    may_load: bool
    """Whether the persistent cache or reuse may answer, and `xla` will come if they do not."""
    program: Callable[[], tuple[FunctionRecord, CacheKey | None]]
    """The record and the key of a program that is no watched function's."""
    place: Callable[[], str]
    """The user's line."""
    frame: Callable[[], FrameType | None]
    """The user's frame."""


class Observer(Protocol):
    """What policy does, on the thread that calls; only `before` and `say` may raise on purpose."""

    def began(self, frame: Frame) -> None:
        """A call missed; it was pushed on its thread's stack."""

    def before(self, begun: Begun) -> None:
        """A stage is about to run; what this raises reaches the user's call in its place."""

    def compiled(self, frame: Frame) -> None:
        """The program of a call is there."""

    def is_expected(self, record: FunctionRecord, key: CacheKey) -> bool:
        """Whether the function's author declared a call with this key."""

    def missed(
        self, record: FunctionRecord, key: KeyRecord, *, programs: int, seconds: float, test: str
    ) -> list[Alert]:
        """A miss was counted; what is to be said of it."""

    def say(self, record: FunctionRecord, alerts: Sequence[Alert], frame: FrameType | None) -> None:
        """Say it; what this raises reaches the user's call, which was computed."""

    def ended(self, frame: Frame, error: BaseException | None = None) -> None:
        """A call came to its end."""


class Silent:
    """The observer of a watch to which no policy was handed."""

    def _nothing(self, *_: Any, **__: Any) -> None:
        pass

    began = before = compiled = say = ended = _nothing

    def is_expected(self, record: FunctionRecord, key: CacheKey) -> bool:
        """Nothing is declared."""
        return False

    def missed(self, *_: Any, **__: Any) -> list[Alert]:
        """Nothing is to be said."""
        return []


class _Observing:
    def __init__(self) -> None:
        self.observer: Observer = Silent()


def observer() -> Observer:
    """Whom to tell."""
    return _state.part(_Observing).observer


def observe(new: Observer) -> None:
    """Tell this one from now on."""
    _state.part(_Observing).observer = new
