"""Sets Keras up for a run (seeds, precision, determinism), and names the devices that it runs on."""

from __future__ import annotations

import gc
import os
import sys

from seqtrain import console
from seqtrain.config.schema import RunConfig


def prepare_keras(config: RunConfig, again: bool = False) -> None:
    """Imports Keras and sets what must be set before a model is built.

    With `deterministic`, TensorFlow uses deterministic kernels; JAX reads its flag when it starts, so it is set before.
    What the libraries say as they start goes where file descriptor 2 goes, from Python too.

    Args:
        config: Of the run.
        again: Whether there was a model before, whose memory is freed; to look for it takes half a second.
    """
    with console.status("starting Keras"), console.python_stderr_to_native():
        _prepare(config, again)


def devices() -> tuple[str, list[str]]:
    """The name of the backend, and of the devices that it sees."""
    import keras

    return keras.backend.backend(), [str(device) for device in keras.distribution.list_devices()]


def _prepare(config: RunConfig, again: bool) -> None:
    if config.fit.deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    _import_keras()
    import keras

    keras.utils.clear_session(free_memory=again)  # a run that goes back begins as a new process would
    keras.utils.set_random_seed(config.seed)
    if config.fit.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    if config.fit.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{config.fit.mixed_precision}")


def _import_keras() -> None:
    """Imports Keras and its backend without the garbage collector, which would look through their objects many times.

    That takes a fifth of the time to import them; so does each time that it looks through them later, so they are
    frozen.
    """
    if "keras" in sys.modules:
        return
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        gc.enable()
    gc.freeze()
