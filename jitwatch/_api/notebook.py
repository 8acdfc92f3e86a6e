"""The IPython extension: `%load_ext jitwatch` watches all functions, and `%%jitwatch` says what a cell compiled."""

from __future__ import annotations

import importlib
from typing import Any

from jitwatch._api import install
from jitwatch._api.scopes import recording


def load_ipython_extension(shell: Any) -> None:
    """Watch every function that is jitted from here on, and add the magic: `%load_ext jitwatch`."""
    install.install(count_hits=True)

    def jitwatch(line: str, cell: str) -> None:
        """Run the cell, and show what it compiled and why."""
        with recording() as recorded:
            shell.run_cell(cell)
        importlib.import_module("IPython.display").display(recorded)

    shell.register_magic_function(jitwatch, magic_kind="cell", magic_name="jitwatch")


def unload_ipython_extension(shell: Any) -> None:
    """Watch no longer: `%unload_ext jitwatch`."""
    install.uninstall()
    shell.magics_manager.magics["cell"].pop("jitwatch", None)
