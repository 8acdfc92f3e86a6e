"""Which arguments of a call came back from it: state that goes round, such as parameters and optimizer states."""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice
from typing import Any

import jax

from jitwatch._model import CacheKey


def returned_arguments(key: CacheKey, outputs: Any) -> tuple[str, ...]:
    """Names of the arguments each of whose arrays has one of its shape and dtype among the outputs."""
    arrays = (leaf for leaf in jax.tree_util.tree_leaves(outputs) if isinstance(leaf, jax.Array))
    given = Counter((tuple(array.shape), str(array.dtype)) for array in arrays)  # numbers of JAX have a dtype alone
    leaves = chain.from_iterable(key.leaf_chunks)
    names = []
    for argument in key.arguments:
        own = Counter((leaf.shape, leaf.dtype) for leaf in islice(leaves, len(argument.paths)))
        if own and all(given[leaf] >= count for leaf, count in own.items()):
            names.append(argument.name)
    return tuple(names)
