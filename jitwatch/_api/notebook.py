"""The IPython extension: `%load_ext jitwatch` watches all functions, and `%%jitwatch` says what a cell compiled."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jitwatch._api import install
from jitwatch._api.scopes import recording


def load_ipython_extension(shell: Any) -> None:
    """Watch every function that is jitted from here on, and add the magic: `%load_ext jitwatch`."""
    install.install(count_hits=True)

    def jitwatch(line: str, cell: str) -> None:
        """Run the cell, and show what it compiled and why."""
        with recording() as recorded, _numbered_as_shown(shell):
            # The line of the magic stands before it again, but for one of another magic, which must come first.
            shell.run_cell(cell if cell.startswith("%%") else f"# %%jitwatch\n{cell}")
        importlib.import_module("IPython.display").display(recorded)

    shell.register_magic_function(jitwatch, magic_kind="cell", magic_name="jitwatch")


@contextmanager
def _numbered_as_shown(shell: Any) -> Iterator[None]:
    """Give what a magic runs the number of its cell, by which lines are told: IPython 9 has counted on by then."""
    count, seen = shell.execution_count, len(shell.history_manager.input_hist_parsed) - 1
    try:
        shell.execution_count = seen if seen > 0 else count
        yield
    finally:
        shell.execution_count = count


def unload_ipython_extension(shell: Any) -> None:
    """Watch no longer: `%unload_ext jitwatch`."""
    install.uninstall()
    shell.magics_manager.magics["cell"].pop("jitwatch", None)
