"""Functions and data that JAX has not compiled for yet, and how to see an assertion fail on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

sizes = iter(range(1000, 10_000))


@jax.jit
def plain(x):
    return x * 2


def vector(n: int | None = None) -> Any:
    """Data of a size that no other call has had."""
    return np.ones(next(sizes) if n is None else n, np.float32)


def fails(assertion: Any, body: Callable[[], Any]) -> str:
    """The message with which an assertion fails on a block."""
    with pytest.raises(AssertionError) as caught, assertion:
        body()
    return str(caught.value)


def make(decorate: Callable[..., Any], scale: float | None = None) -> Any:
    """A function that brings along a number which no other one has, if none is given."""
    scale = float(next(sizes)) if scale is None else scale

    def step(x):
        return x * scale

    return decorate(step)
