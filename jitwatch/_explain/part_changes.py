"""How two leaves, or two static values, differ, as typed changes. Part of explain: pure, words differences only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from jitwatch._model import Change, Leaf, Static
from jitwatch._words.part_text import differing_static_texts, leaf_text, source_text, static_text
from jitwatch._words.safe_text import clean

ABSENT = "absent"
_TEXT_LIMIT = 120
_SHARDING_LIMIT = 200
_MAX_DEPTH = 50
_RAW_KEY_SIZES = (2, 4)
"""Sizes of the last axis of raw PRNG keys: threefry has 2 words, rbg 4."""
_KEY_NAME = re.compile(r"key|rng|seed", re.IGNORECASE)
_DEVICES = re.compile(r"devices \[[^\]]*\]")
_FUNCTION = re.compile(r"\S+ at .+:\d+")
_SHAPE = re.compile(r"\[([\d,]*)\]")


def leaf_causes(where: str, before: Leaf, after: Leaf) -> list[str]:
    """Every way in which two leaves differ.

    A difference that needs no new trace (NumPy or `jax.Array`, a Python bool's weak type) is `other`, and told only
    where there is no other difference.
    """
    found = [*_aval_causes(where, before, after), *_placement_causes(before, after)]
    return found or (["other"] if before != after else [])


def leaf_texts(cause: str, before: Leaf, after: Leaf) -> tuple[str, str]:
    """Say two leaves that differ in one way."""
    if cause == "sharding":
        return _sharding_texts(before, after)
    if cause == "committed":
        return _both(_committed_text(leaf) for leaf in (before, after))
    if cause == "layout":
        return _both(clean(leaf.layout or "default layout", 60) for leaf in (before, after))
    if cause != "other":
        return _both(leaf_text(leaf, source=before.source != after.source) for leaf in (before, after))
    return _source_texts(before, after)


def axes_text(before: Sequence[int], after: Sequence[int]) -> str:
    """Say the axes in which two shapes differ: `axis 0: 32 → 4`, or `rank 1 → 2`."""
    if len(before) != len(after):
        return f"rank {len(before)} → {len(after)}"
    differing = [(axis, *sizes) for axis, sizes in enumerate(zip(before, after, strict=True)) if sizes[0] != sizes[1]]
    return ", ".join(f"axis {axis}: {one} → {other}" for axis, one, other in differing)


def change_text(change: Change) -> str:
    """Say a change on one line: `batch['x']: f32[32,8] → f32[4,8] (axis 0: 32 → 4)`."""
    text = f"{change.where}: {change.before} → {change.after}"
    shapes = [_SHAPE.search(side) for side in (change.before, change.after)] if change.cause == "shape" else []
    if len(shapes) == 2 and shapes[0] and shapes[1]:
        text += f" ({axes_text(*([int(size) for size in shape[1].split(',') if size] for shape in shapes if shape))})"
    return text


def static_changes(where: str, before: Static, after: Static) -> list[Change]:
    """How two static values differ, down to the smallest parts that are known.

    The cause is `static_identity` where type, text and parts are equal as far as they are known and JAX still takes the
    values for different ones; else it is `static_value`.
    """
    return _static_changes(where, before, after, _MAX_DEPTH)


def _aval_causes(where: str, before: Leaf, after: Leaf) -> Iterator[str]:
    if _is_key_change(where, before, after):
        yield "key_impl"
    elif before.dtype != after.dtype:
        yield "dtype"
    elif before.weak_type != after.weak_type and before.dtype != "bool":  # a bool has no weak aval
        yield "weak_type"
    if _key_shape(before, after) != _key_shape(after, before) and not _is_raw_key_change(where, before, after):
        yield "shape"


def _placement_causes(before: Leaf, after: Leaf) -> Iterator[str]:
    sharding = before.sharding != after.sharding and _has_sharding(before, after) and _has_sharding(after, before)
    if sharding:
        yield "sharding"
    if before.committed != after.committed:
        yield "committed"
    same_aval = (before.shape, before.dtype) == (after.shape, after.dtype)
    if before.layout != after.layout and same_aval and not sharding and _is_placed(before) and _is_placed(after):
        yield "layout"


def _is_placed(leaf: Leaf) -> bool:
    return leaf.sharding is not None


def _has_sharding(leaf: Leaf, other: Leaf) -> bool:
    """Whether a leaf has a sharding to compare; a NumPy value goes where JAX puts it, which is no sharding of its own,
    unless the other lies on several devices or a mesh."""
    return _is_placed(leaf) or "Sharding(" in (other.sharding or "")


def _is_key_change(where: str, before: Leaf, after: Leaf) -> bool:
    typed = [leaf.dtype.startswith("key<") for leaf in (before, after)]
    if all(typed):
        return before.dtype != after.dtype
    if any(typed):
        raw = after if typed[0] else before
        return raw.dtype == "uint32" and raw.shape[-1:] in [(size,) for size in _RAW_KEY_SIZES]
    return _is_raw_key_change(where, before, after)


def _is_raw_key_change(where: str, before: Leaf, after: Leaf) -> bool:
    """Whether two raw keys are of different implementations; only the name tells a raw key from other data."""
    return (
        before.dtype == after.dtype == "uint32"
        and before.shape[:-1] == after.shape[:-1]
        and {before.shape[-1:], after.shape[-1:]} == {(size,) for size in _RAW_KEY_SIZES}
        and _KEY_NAME.search(where) is not None
    )


def _key_shape(leaf: Leaf, other: Leaf) -> tuple[int, ...]:
    """The shape to compare with that of `other`: of raw key data against a typed key, that of the keys."""
    is_data = leaf.dtype == "uint32" and other.dtype.startswith("key<") and leaf.shape[-1:]
    return leaf.shape[:-1] if is_data else leaf.shape


def _committed_text(leaf: Leaf) -> str:
    text = f"{leaf_text(leaf, source=leaf.source != 'jax')} {'committed' if leaf.committed else 'uncommitted'}"
    return text if leaf.sharding is None else f"{text} on {clean(leaf.sharding, _SHARDING_LIMIT)}"


def _source_texts(before: Leaf, after: Leaf) -> tuple[str, str]:
    if before.source == after.source:
        return _both(leaf_text(leaf, source=True, placement=True) for leaf in (before, after))
    one, other = _both(leaf_text(leaf, source=True) for leaf in (before, after))
    return one, other if "tracer" in (before.source, after.source) else f"{other} (needs no new trace)"


def _sharding_texts(before: Leaf, after: Leaf) -> tuple[str, str]:
    texts = [leaf.sharding or f"on no device ({source_text(leaf)})" for leaf in (before, after)]
    devices = [_DEVICES.findall(text) for text in texts]
    if devices[0] == devices[1] and max(map(len, texts)) > _SHARDING_LIMIT // 2:
        texts = [_DEVICES.sub("same devices", text) for text in texts]  # or the spec would be cut off
    return _both(clean(text, _SHARDING_LIMIT) for text in texts)


def _both(texts: Iterable[str]) -> tuple[str, str]:
    one, other = texts
    return one, other


def _static_changes(where: str, before: Static, after: Static, depth: int) -> list[Change]:
    if before == after:
        return []
    parts_tell = before.type == after.type and not _are_other_functions(before, after) and depth > 0
    found = _differing_parts(where, before, after, depth) if parts_tell else []
    if any(change.cause == "static_value" for change in found):
        return found
    # An object that compares by identity is another one by itself, whatever its parts.
    if found and not (before.by_identity or after.by_identity):
        return found
    cause = "static_identity" if found or _is_other_object(before, after) else "static_value"
    return [Change(cause, where, *_static_texts(before, after))]


def _differing_parts(where: str, before: Static, after: Static, depth: int) -> list[Change]:
    """Changes of the parts, but for those that only may have changed since they read the same and are not told apart
    by identity: these say nothing that the whole does not say."""
    lefts, rights = dict(before.parts), dict(after.parts)
    found = []
    for name in dict.fromkeys((*lefts, *rights)):
        one, other = lefts.get(name), rights.get(name)
        if one is not None and other is not None:
            if one == other or (_is_same_content(one, other) and not _has_identity(one)):
                continue
            found += _static_changes(clean(where + name), one, other, depth - 1)
        else:
            texts = [ABSENT if part is None else static_text(part, limit=_TEXT_LIMIT) for part in (one, other)]
            found.append(Change("static_value", clean(where + name), texts[0], texts[1]))
    return found


def _are_other_functions(before: Static, after: Static) -> bool:
    """Whether two functions are not of one definition; their closures then need not be compared."""
    return before.text != after.text and all(_FUNCTION.fullmatch(one.text) for one in (before, after))


def _is_other_object(before: Static, after: Static) -> bool:
    """Whether two static values are equal in content, so that only their identity can tell them apart."""
    return _is_same_content(before, after) and (_has_identity(before) or _is_told_whole(before))


def _is_same_content(before: Static, after: Static) -> bool:
    return _content(before, _MAX_DEPTH) == _content(after, _MAX_DEPTH)


def _content(static: Static, depth: int) -> tuple[object, ...]:
    parts = [(name, _content(part, depth - 1)) for name, part in static.parts] if depth > 0 else []
    return static.type, static.text, static.by_identity, parts


def _has_identity(static: Static, depth: int = _MAX_DEPTH) -> bool:
    parts = static.parts if depth > 0 else ()
    return static.by_identity or any(_has_identity(part, depth - 1) for _, part in parts)


def _is_told_whole(static: Static) -> bool:
    """Whether text and parts leave nothing out that `==` could look at."""
    return bool(static.parts) or not static.text.endswith(("…", " object"))


def _static_texts(before: Static, after: Static) -> tuple[str, str]:
    return differing_static_texts(before, after, limit=_TEXT_LIMIT)
