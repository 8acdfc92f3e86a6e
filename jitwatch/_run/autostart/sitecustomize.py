"""Python imports this at start-up where `jitwatch run` or `jitwatch autostart` put its folder on PYTHONPATH.

It only arranges for watching to begin when the program imports jax; a program that never does is left alone. The
`sitecustomize` that it stands before is loaded as if this one were not there.
"""

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder  # both cheap; `importlib.util` is not, so not at start-up

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))
_OFF = ("", "0", "false", "no", "off")


class _Autostart:
    """Begins to watch when jax is about to be imported, then steps aside."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if name != "jax" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        try:
            _jitwatch()
            from jitwatch._run.session import begin_by_environment

            begin_by_environment()
        except ImportError as error:  # another Python, without what jitwatch needs
            if "JITWATCH_CHILD" not in os.environ:
                print(f"jitwatch: the program runs unwatched: {error}.", file=sys.stderr)
        from importlib.util import find_spec

        return find_spec("jax")  # anew, past what watching has put into `sys.meta_path`


def _jitwatch() -> None:
    """Import the jitwatch that this file belongs to, wherever the program's `sys.path` leads."""
    if "jitwatch" not in sys.modules:
        from importlib.util import module_from_spec, spec_from_file_location

        spec = spec_from_file_location("jitwatch", os.path.join(_PACKAGE, "__init__.py"))
        if spec is None or spec.loader is None:
            raise ImportError("its folder is gone")
        sys.modules["jitwatch"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


def _load_next() -> None:
    """Load the `sitecustomize` that Python would have found without this one."""
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


if os.environ.get("JITWATCH_CHILD") or os.environ.get("JITWATCH", "").lower() not in _OFF:
    sys.meta_path.insert(0, _Autostart())
_load_next()
