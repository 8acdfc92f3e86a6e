"""What `jitwatch debug` prints: versions, settings with where they come from, and data files."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator

import click

import jitwatch
from jitwatch import __version__, _config
from jitwatch._errors import JitwatchError

_PACKAGES = ("jax", "jaxlib", "numpy", "wrapt", "msgspec", "rich", "jinja2", "click")
_VARIABLES = ("JITWATCH", "JITWATCH_FILE", "JITWATCH_CHILD", "PYTHONPATH", "JAX_PLATFORMS", "XLA_FLAGS")


def lines(*, with_jax: bool) -> Iterator[str]:
    """Everything, line by line.

    Args:
        with_jax: Whether to import jax and ask it; otherwise only the versions that are installed are looked up.
    """
    yield f"jitwatch {__version__} in {os.path.dirname(os.path.abspath(jitwatch.__file__))}"
    yield f"Python {platform.python_version()}, {sys.executable}"
    yield f"platform: {platform.platform()}"
    yield "packages: " + ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield from _jax_lines() if with_jax else ["jax: not imported; --jax says how exactly it can be watched"]
    yield "settings:"
    yield from (f"  {line}" for line in _setting_lines())
    yield "data files:"
    yield from (f"  {line}" for line in _file_lines())


def _version(package: str) -> str:
    import importlib.metadata as installed  # slow to import

    try:
        return installed.version(package)
    except installed.PackageNotFoundError:
        return "missing"


def _jax_lines() -> Iterator[str]:
    try:
        from jitwatch._capture import jax_internals
    except Exception as error:  # what an import of jax raises is not known
        yield f"jax: cannot be watched: {type(error).__name__}: {error}"
        return
    exact = jax_internals.exact_hook_available()
    yield "jax: exact counts" if exact else "jax: approximate counts, since this JAX lacks the hook that jitwatch uses"


def _setting_lines() -> Iterator[str]:
    for name in _config.OPTIONS:
        try:
            value, source = _config.option_and_source(name)
            yield f"{name} = {value!r} from {source}"
        except JitwatchError as error:
            yield f"{name}: {error}"
    for variable in _VARIABLES:
        if variable in os.environ:
            yield f"{variable}={os.environ[variable]!r}"


def _file_lines() -> Iterator[str]:
    from jitwatch import _store
    from jitwatch._store import runs

    try:
        files = _store.find()
    except JitwatchError:
        yield "none here"
        return
    for path in files:
        process = runs.head(path)
        of = "not readable" if process is None else f"process {process.pid} on {process.host!r}, run {process.run!r}"
        yield f"{path}: {path.stat().st_size:,} bytes, {of}"


@click.command()
@click.option("--jax", "with_jax", is_flag=True, help="Import jax too, and say how exactly this JAX can be watched.")
def debug(with_jax: bool) -> None:
    """Print versions, settings and data files, for a bug report."""
    for line in lines(with_jax=with_jax):
        click.echo(line)
