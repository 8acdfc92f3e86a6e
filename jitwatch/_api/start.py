"""What happens once, before the first function is watched: capture begins, and policy is handed to it."""

from __future__ import annotations

import atexit
import functools

from jitwatch import _config
from jitwatch._api import pickling, reuse_settings
from jitwatch._capture import start
from jitwatch._explain.programs import steps_of
from jitwatch._policy import progress
from jitwatch._policy.live import Live
from jitwatch._policy.say import honour_warning_options
from jitwatch._record.recorder import recorder


def begin() -> None:
    """Begin to watch this process; a second time without effect.

    Raises:
        JitwatchError: A setting is not valid.
    """
    if not start.has_begun():  # once, since a program may have decided otherwise meanwhile
        _config.check_environment()
        progress.decide()
        reuse_settings.begin_if_set()
        if start.begin(Live()):
            _once()
    recorder().programs.steps_of = steps_of


@functools.cache
def _once() -> None:
    honour_warning_options()
    atexit.register(lambda: recorder().keep_stale())  # after JAX's own, so it runs before JAX clears its caches
    pickling.register()
