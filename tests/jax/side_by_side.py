"""Observes one behaviour with plain `jax.jit` and with `watched_jit`, for tests that the two are the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax

from jitwatch import watched_jit


def same(observe: Callable[[Any], Any]) -> Any:
    """Check that `observe(jit)` gives equal results for both, and return what it gave."""
    plain, watched = [observe(jit) for jit in (jax.jit, watched_jit)]  # one line, since tracebacks show it
    assert plain == watched, (plain, watched)
    return watched


def without_addresses(text: str) -> str:
    """`text` without the parts that differ from object to object."""
    return re.sub(r"\bid=\d+", "id=…", re.sub(r"0x[0-9a-f]+", "0x…", text))


def outcome(call: Callable[[], Any]) -> Any:
    """What `call()` returns, or type and message of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__, without_addresses(str(error))
