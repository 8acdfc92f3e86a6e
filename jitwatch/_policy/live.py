"""What policy does while a program runs; capture hands it what happens (`_capture/observer.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from jitwatch._model import Alert, CacheKey
from jitwatch._policy import bans, churn, say
from jitwatch._policy.progress import announcer
from jitwatch._record.function_record import FunctionRecord, KeyRecord

if TYPE_CHECKING:
    from jitwatch._capture.events.frames import Frame
    from jitwatch._capture.observer import Begun


class Live:
    """The observer: announces what takes long, stops what is forbidden, warns of churn."""

    def began(self, frame: Frame) -> None:
        """A call missed."""
        announcer().began(frame)

    def before(self, begun: Begun) -> None:
        """A stage is about to run; raises where a rule forbids it."""
        bans.before(begun)

    def compiled(self, frame: Frame) -> None:
        """The program of a call is there."""
        announcer().ended(frame)

    def is_expected(self, record: FunctionRecord, key: CacheKey) -> bool:
        """Whether `expect=` declares a call with this key."""
        return record.policy is not None and record.policy.expect is not None and record.policy.expect.covers(key)

    def missed(
        self, record: FunctionRecord, key: KeyRecord, *, programs: int, seconds: float, test: str
    ) -> list[Alert]:
        """A miss was counted; what the judge finds worth saying of it."""
        return churn.after_miss(record, key, programs=programs, seconds=seconds, test=test)

    def say(self, record: FunctionRecord, alerts: Sequence[Alert], frame: FrameType | None) -> None:
        """Say alerts as the function's policy asks; may raise."""
        for alert in alerts:
            say.act(alert, record.policy.on_churn, frame)

    def ended(self, frame: Frame, error: BaseException | None = None) -> None:
        """A call came to its end."""
        announcer().ended(frame, error)
