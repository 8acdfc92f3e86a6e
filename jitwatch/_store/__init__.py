"""The data file: what a watched process leaves behind, written as it runs and read anywhere, without JAX."""

from __future__ import annotations

from jitwatch._store.files import find as find
from jitwatch._store.files import save as save
from jitwatch._store.reader import load as load
from jitwatch._store.writer import Writer as Writer
