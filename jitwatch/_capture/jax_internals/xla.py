"""Where JAX hands a program to XLA or to its persistent cache, and what it hands over.

Part of `jax_internals`, and under its rules. Measured on JAX 0.6.1 to 0.12.0.1.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from jax._src import cache_key, compilation_cache, compiler
from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir

ELIDED_FROM = 64
"""Elements of a constant from which on it stands in the text as a digest."""

_PROPAGATION = ("allow_spmd_sharding_propagation_to_parameters", "allow_spmd_sharding_propagation_to_output")
_SAFE = re.compile(r"tensor<(?:\d+x)*(?:bf16|f16|f32|f64|u?i\d+)>")
_ELIDED = "dense_resource<__elided__>"
_MAX_READ_BYTES = 1 << 22
_TOLD_BY_NAME_ONLY = ("callback", "tpu_custom_call", "mosaic_gpu", "triton", "CustomSPMDPartitioning")


class Compilation(NamedTuple):
    """What JAX is about to compile, or to load from its persistent cache. Nothing of it may be kept or changed."""

    backend: Any
    computation: Any
    """The module."""
    devices: Any
    compile_options: Any
    host_callbacks: Any


def call_before_compile_or_load(
    callback: Callable[[Compilation], None], after: Callable[[Any], None] = lambda _: None
) -> bool:
    """Call `callback` each time before JAX looks for a program in its persistent cache, and has XLA compile it.

    It runs within the time that JAX measures as that of the compilation; where it raises, neither is done. A second
    time for the same callback without effect. `after` is called with the executable, and must not raise.

    Returns:
        False where this JAX has no such place; then it is never called.
    """
    original = getattr(compiler, "compile_or_get_cached", None)
    if getattr(original, "jitwatch_callback", None) is callback:
        return True
    try:
        signature = inspect.signature(original)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    if not signature.parameters.keys() >= set(Compilation._fields):
        return False

    def compile_after(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(signature.parameters, args, strict=False)) | kwargs
        callback(Compilation(*(given.get(name) for name in Compilation._fields)))
        executable = original(*args, **kwargs)  # type: ignore[misc]
        after(executable)
        return executable

    wrapped: Any = functools.wraps(original)(compile_after)  # type: ignore[arg-type]
    wrapped.jitwatch_callback = callback
    compiler.compile_or_get_cached = wrapped
    return True


@functools.cache
def fingerprints_available() -> bool:
    """Whether this JAX says what makes two programs the same for its persistent cache, and gives their text."""
    try:
        with ir.Context():
            module = ir.Module.parse("module @empty {}")
        return (
            read_module(canonical_module(module)) == text_of(module)
            and {"module", "devices", "compile_options", "backend"}
            <= inspect.signature(cache_key.get).parameters.keys()
        )
    except Exception:
        return False


def canonical_module(module: Any) -> bytes:
    """A module as JAX's persistent cache compares it: without source locations; the module stays as it is."""
    return cache_key._canonicalize_ir(module, _all_callbacks())  # type: ignore[no-any-return]


def _all_callbacks() -> Any:
    """That no pointer to a callback is left out; a choice of three in some versions of JAX, else of two."""
    choice = getattr(cache_key, "IgnoreCallbacks", None)
    return False if choice is None else choice.NO


def is_in_persistent_cache(compilation: Compilation) -> bool:
    """Whether JAX's persistent cache is on and has an entry for what is about to be compiled."""
    with _silent(cache_key.logger):
        key = compiler._get_cache_key(
            compilation.compile_options, compilation.backend, compilation.computation, compilation.devices
        )
    return key is not None and bool(compilation_cache.is_executable_in_cache(compilation.backend, key))


@functools.cache
def persistent_cache_keeps_callbacks() -> bool:
    """Whether JAX stores programs that call back into Python (JAX 0.12; not 0.6.1 to 0.10.2)."""
    write = getattr(compiler, "_cache_write", None)
    return write is not None and "host_callbacks" not in inspect.signature(write).parameters


def target_key(compilation: Compilation) -> tuple[str, str]:
    """What options, backend, versions and flags add to JAX's persistent-cache key: the key of an empty program.

    Returns:
        The key without the options that depend on which arguments are committed, and those options as text.
    """
    options = copy.deepcopy(compilation.compile_options)
    free = []
    for name in _PROPAGATION:
        if hasattr(options.executable_build_options, name):
            free.append("".join(str(int(each)) for each in getattr(options.executable_build_options, name)))
            setattr(options.executable_build_options, name, [False])
    with ir.Context():
        empty = ir.Module.parse("module @empty {}")
    with _silent(cache_key.logger):
        return str(cache_key.get(empty, compilation.devices, options, compilation.backend)), "/".join(free)


def options_bytes(compile_options: Any) -> bytes:
    """Compile options as bytes, equal for equal ones."""
    return bytes(compile_options.SerializeAsString())


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Let a logger pass nothing that this thread says."""
    thread = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)


def text_of(module: Any, free: str = "") -> str:
    """A module's text in MLIR's generic form, without locations, with a digest for each large constant.

    Args:
        module: What to give the text of.
        free: What `target_key` says of committed arguments; it becomes an attribute, as it is part of the program.
    """
    return _text(module).rstrip() + text_suffix(free)


def text_suffix(free: str) -> str:
    """What `text_of` adds to a module's text for what `target_key` says of committed arguments."""
    return f' {{mhlo.jitwatch_free = "{free}"}}\n' if free else ""


def calls_what_text_does_not_tell(text: str) -> bool:
    """Whether a program of this text calls Python functions or carries kernels, which the text only names."""
    return any(name in text for name in _TOLD_BY_NAME_ONLY)


def located_text_of(module: Any) -> str:
    """A module's text as of `text_of`, with its source locations, which stand at its end."""
    return _text(module, with_locations=True)


def _text(module: Any, *, with_locations: bool = False) -> str:
    text: str = module.operation.get_asm(
        enable_debug_info=with_locations, use_local_scope=not with_locations, assume_verified=True,
        print_generic_op_form=True, large_elements_limit=ELIDED_FROM,
    )  # fmt: skip
    if _ELIDED not in text:
        return text
    before, *after = text.split(_ELIDED)
    digests = list(_digests(module))
    if len(digests) != len(after):  # no claim that two programs have the same constants
        whole = _Digest()
        whole.write(canonical_module(module))
        digests = [whole.text()] * len(after)
    return before + "".join(f"dense_resource<{digest}>{rest}" for digest, rest in zip(digests, after, strict=True))


def _digests(module: Any) -> Iterator[str]:
    """A digest for each constant that the text leaves out, in the order of the text.

    Those of complex and other rare types are left out, as JAX 0.6.1 aborts when it is asked for their value.
    """
    for operation in _operations(module.operation):
        if operation.name == "stablehlo.constant" and _SAFE.fullmatch(str(operation.results[0].type)):
            value = operation.attributes["value"]
            if isinstance(value, ir.DenseElementsAttr) and not value.is_splat and len(value) > ELIDED_FROM:
                yield _digest_of(value)


def _operations(operation: Any) -> Iterator[Any]:
    """An operation and those inside it, in the order of the text."""
    yield operation
    for region in operation.regions:
        for block in region:
            for inner in block:
                yield from _operations(inner.operation)


class _Digest:
    """A file that keeps a digest of what is written to it, and nothing else."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take a part in."""
        self._sha.update(data)

    def text(self) -> str:
        """The digest of all parts."""
        return self._sha.hexdigest()[:32]


def _digest_of(value: Any) -> str:
    """What a constant holds: Python's buffers lack some element types, and asked for one of them JAX 0.6.1 fails."""
    digest = _Digest()
    with value.context, ir.Location.unknown():
        carrier = ir.Module.create()
        carrier.operation.attributes["jitwatch.value"] = value
        carrier.operation.write_bytecode(file=digest)
    return digest.text()


class _Reader(threading.local):
    """An MLIR context for reading modules. It keeps what it has read, so it is made anew from time to time.

    Without JAX's pool of threads, which a forked child does not have: to read there would wait for them for ever.
    """

    def __init__(self) -> None:
        self.context: Any = None
        self.read_bytes = 0


_reader = _Reader()


def read_module(data: bytes, free: str = "") -> str:
    """The text, as of `text_of`, of a module that `canonical_module` wrote."""
    if _reader.context is None or _reader.read_bytes > _MAX_READ_BYTES:
        _reader.context, _reader.read_bytes = mlir.make_ir_context(), 0
        _reader.context.enable_multithreading(False)
    _reader.read_bytes += len(data)
    with _reader.context:
        return text_of(ir.Module.parse(data), free)
