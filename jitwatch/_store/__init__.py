"""The data file: what a watched process leaves behind, written as it runs and read anywhere, without JAX."""

from __future__ import annotations

from jitwatch._store.files import default_path as default_path
from jitwatch._store.files import erase as erase
from jitwatch._store.files import find as find
from jitwatch._store.files import is_data_file as is_data_file
from jitwatch._store.files import save as save
from jitwatch._store.files import with_beside as with_beside
from jitwatch._store.reader import load as load
from jitwatch._store.writer import Writer as Writer
