"""Recognises out-of-memory errors of TensorFlow, JAX and Python, and adds advice."""

from __future__ import annotations

from dataclasses import replace

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError, ResourceError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one of its causes, is an out-of-memory error of TensorFlow, JAX or Python."""
    names = ("ResourceExhaustedError", "OutOfMemoryError", "MemoryError")
    is_reported = type(error).__name__ in names or "RESOURCE_EXHAUSTED" in str(error)
    return is_reported or (
        isinstance(error, ConfigError) and error.__cause__ is not None and is_out_of_memory(error.__cause__)
    )


def out_of_memory(loaded: LoadedConfig, error: BaseException) -> ResourceError:
    """The error to raise when the device's memory is full."""
    while isinstance(error, ConfigError) and error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).splitlines() or [type(error).__name__]
    return ResourceError(
        "the device is out of memory", received=lines[0], fix=f"{_smaller_batches(loaded)}make the model smaller"
    )


def with_batch_size(loaded: LoadedConfig, error: ResourceError) -> ResourceError:
    """Adds advice about the batch size to an error of the loader."""
    fix = f"{_smaller_batches(loaded)}lower fit.workers or fit.max_queue_size"
    return ResourceError(replace(each, fix=fix) for each in error.mistakes)


def _smaller_batches(loaded: LoadedConfig) -> str:
    size = loaded.config.batch_size
    return f"try -s batch_size={size // 2}, or " if size > 1 else ""
