"""Sets Keras up for a run (seeds, precision, determinism), and names the devices that it runs on."""

from __future__ import annotations

import gc
import os
import sys

from seqtrain import console
from seqtrain.config.schema import RunConfig


def prepare_keras(config: RunConfig, again: bool = False) -> None:
    """Imports Keras, and sets the seeds and options that must be set before a model is built.

    With `deterministic`, TensorFlow uses deterministic kernels; JAX reads its flag when it starts, so the flag is set
    first. All messages of the libraries at start-up go to file descriptor 2, even those printed in Python.

    Args:
        config: The run's config.
        again: Whether to free the memory of a previous model, which takes half a second.
    """
    with console.status("starting Keras"), console.python_stderr_to_native():
        _prepare(config, again)


def devices() -> tuple[str, list[str]]:
    """The name of the backend, and the names of its devices."""
    import keras

    return keras.backend.backend(), [str(device) for device in keras.distribution.list_devices()]


def _prepare(config: RunConfig, again: bool) -> None:
    if config.fit.deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    _import_keras()
    import keras

    keras.utils.clear_session(free_memory=again)  # after a rollback, start like a new process
    keras.utils.set_random_seed(config.seed)
    if config.fit.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    if config.fit.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{config.fit.mixed_precision}")


def _import_keras() -> None:
    """Imports Keras and its backend without the garbage collector, which would scan their objects many times.

    Those scans take a fifth of the import time. Later scans would too, so the objects are frozen (`gc.freeze`).
    """
    if "keras" in sys.modules:
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        if was_enabled:
            gc.enable()
    gc.freeze()
