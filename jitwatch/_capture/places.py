"""Whose file a line is in, the author's or a library's, and what the author calls the line."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import jax

import jitwatch

_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_OURS_AND_BELOW = tuple(os.path.dirname(str(module.__file__)) + os.sep for module in (jax, jitwatch))
"""Also where they are installed as editable, from a folder like the author's."""
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_SCRIPTS = os.path.dirname(sys.executable or os.__file__)


def is_of_author(file: str, module: Mapping[str, Any]) -> bool:
    """Whether code is the author's: what is installed, the standard library and generated code are not.

    Args:
        file: Of the code.
        module: The globals that it runs in.
    """
    if file.startswith("<"):  # what was typed has no file, while what a library generates stands in a module that has
        return not file.startswith("<frozen") and ("__file__" not in module or file.startswith("<doctest"))
    return not is_of_library(file)


@functools.lru_cache(maxsize=10_000)
def is_of_library(file: str) -> bool:
    """Whether a file is one of an installed package, of the standard library, of JAX or of jitwatch."""
    return is_passed_through(file) or bool(_INSTALLED.search(file)) or is_script_of_installer(file)


@functools.lru_cache(maxsize=10_000)
def is_passed_through(file: str) -> bool:
    """Whether a file is jitwatch's, JAX's, or one of the standard library, which call JAX for somebody else."""
    return file.startswith(("<frozen", *_OURS_AND_BELOW)) or (
        file.startswith(_STANDARD_LIBRARY) and not _INSTALLED.search(file)
    )


def is_script_of_installer(file: str) -> bool:
    """Whether a file is one of those few lines by which installed programs are begun."""
    return os.path.dirname(file) == _SCRIPTS and not file.endswith(".py")


def named(place: str) -> str:
    """A `file:line` as the author knows it: a notebook's cell as `Cell In[9]:11`, and all else as it is."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is None:
        return place
    file, _, line = place.rpartition(":")
    try:
        cell = ipython.get_ipython().compile.format_code_name(file)
        return place if cell is None else f"{' '.join(cell)}:{line}"
    except Exception:  # no shell, or one that knows its cells in another way
        return place
