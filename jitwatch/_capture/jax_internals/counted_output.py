"""The pytree node by which JAX's C++ counts its own hits."""

from __future__ import annotations

import operator
from typing import Any

import jax


class CountedOutput:
    """Stands for a function's output in the treedef that JAX's C++ unflattens at the end of a fast-path call.

    `from_iterable(aux_data, children)` is `operator.call`, so that C++ calls the node's aux data with a one-tuple of
    children: a counter written in C, `HitCounter.call`.
    """

    def __init__(self, counter: Any) -> None:
        self.counter = counter


jax.tree_util.register_pytree_node(CountedOutput, lambda node: ((0,), node.counter), operator.call)
