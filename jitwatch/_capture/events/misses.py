"""Makes the record of a miss on the running thread."""

from __future__ import annotations

import threading
from time import time
from typing import Any

from jitwatch._capture.events import persistent
from jitwatch._capture.functions.call_site import caller
from jitwatch._model import Miss, Stages
from jitwatch._record import user_context
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder


def new_miss(record: FunctionRecord, kind: str, stages: Stages, **details: Any) -> Miss:
    """A miss of `record` on this thread, now."""
    known = {
        "key": None, "helpers": Stages(), "failed": None, "failed_at": None, "failed_argument": None,
        "slow_path": False,
    }  # fmt: skip
    place, library = caller()
    why = persistent.outcome(record.name, stages, str(details.get("program", ""))) if stages.compiles else ""
    return Miss(
        number=recorder().next_number(), function=record.id, kind=kind, stages=stages, call_site=place,
        unix_s=time(), thread=threading.get_ident(), library=library,
        persistent=why, context=user_context.current(), name=record.name,
        **known | details,
    )  # fmt: skip
