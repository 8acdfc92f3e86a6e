"""What a function is called in every output. Pure."""

from __future__ import annotations

from jitwatch._words.safe_text import clean, short_place

_NAMELESS = {"<lambda>": "lambda", "<unnamed function>": "function", "<unnamed wrapped function>": "function"}
"""What JAX calls a function without a name, such as an object that can be called, and what it is."""
_NAME_LIMIT = 80


def function_text(name: str, qualname: str, defined_at: str) -> str:
    """A function by its name, with what is around it: `grad(loss)`; one without by its line: `lambda at a.py:7`."""
    if is_nameless(name) and defined_at:
        return f"{_NAMELESS[name]} at {short_place(defined_at, _NAME_LIMIT)}"
    return clean(qualname if qualname.endswith(")") else name, _NAME_LIMIT)


def is_nameless(name: str) -> bool:
    """Whether a name is one that says nothing."""
    return name in _NAMELESS
