"""All uses of Keras's private functions and attributes, with the reasons. Check this file when Keras is upgraded.

Written for Keras 3.15. It is not in `training`, because callbacks and a model import it too.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras.src.random.seed_generator import global_seed_generator
from keras.src.saving import saving_lib

CALLBACK_ATTRIBUTES = ("_model", "params", "validation_data")
"""Attributes that Keras sets on every callback."""


def shared_seed() -> Any:
    """The seed variable shared by all layers without a seed; the first call creates it."""
    return global_seed_generator().state


class NamedBuffer(io.BytesIO):
    """A file in memory that has a name, since Keras chooses the format by the extension.

    Args:
        path: The file name.
        content: The content to read; empty for writing.
    """

    def __init__(self, path: str | Path, content: bytes | memoryview = b"") -> None:
        super().__init__(content)
        self.path = Path(path)

    def __str__(self) -> str:
        return str(self.path)


def save_model(model: Any, file: NamedBuffer) -> None:
    """`Model.save` to a file in memory, which the public method does not accept."""
    saving_lib.save_model(model, file)


def save_weights(model: Any, file: NamedBuffer, *, with_optimizer: bool) -> None:
    """`Model.save_weights` to a file in memory, with or without the optimizer."""
    saving_lib.save_weights_only(model, file, objects_to_skip=None if with_optimizer else [model.optimizer])


def load_weights(model: Any, file: Path | NamedBuffer) -> None:
    """`Model.load_weights` for a file that was saved without the optimizer.

    Raises:
        ValueError: when they are the weights of another model.
        KeyError: likewise.
    """
    saving_lib.load_weights_only(model, file, objects_to_skip=[model.optimizer])


def sync_variables(model: Any) -> None:
    """Updates the model's variables during `fit`: on JAX, `fit` trains copies of them."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def ignore_backup(model: Any) -> None:
    """Makes `fit` start at `initial_epoch`, even if Keras's BackupAndRestore has stored another epoch."""
    model._initial_epoch = None


def learning_rate_or_schedule(optimizer: Any) -> Any:
    """The learning rate or schedule of an optimizer; the public property evaluates a schedule to a number."""
    return getattr(optimizer, "inner_optimizer", optimizer)._learning_rate


def compile_loss(model: Any) -> Any:
    """The compiled losses; None for a model that overrides `compile`."""
    return getattr(model, "_compile_loss", None)


def mean_over_samples(model: Any) -> None:
    """Makes the logged loss of each output a mean over samples, as the total loss is.

    Keras weights the batches by their static size, which is unknown in a TensorFlow graph: there, a last batch of two
    samples counts as much as one of 256.

    Args:
        model: A compiled model; with a single output, it has no such losses.

    Source: `CompileLoss.call` of Keras 3, which calls `update_state` of its metrics with `(value, sample_weight=...)`.
    """
    loss = compile_loss(model)
    call = loss.call

    def call_with_sizes(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        for mean in loss.metrics:
            size = keras.ops.cast(keras.ops.shape(keras.tree.flatten(y_true)[0])[0], "float32")
            mean.update_state = functools.partial(_update, mean, size)
        return call(y_true, y_pred, sample_weight)

    loss.call = call_with_sizes


def _update(mean: Any, size: Any, value: Any, sample_weight: Any = None) -> None:
    """Adds a batch's loss, weighted by the batch's size instead of the weight that Keras passes."""
    type(mean).update_state(mean, value, sample_weight=size)


def postpone_final_values(optimizer: Any) -> Callable[[Any], None]:
    """Keeps `fit` from setting the weights to their final values, such as averages; on JAX it would even after a stop.

    Returns:
        The optimizer's `finalize_variable_values`, to be called with the weights at the end of the run.
    """
    finalize: Callable[[Any], None] = optimizer.finalize_variable_values
    optimizer.finalize_variable_values = lambda weights: None
    return finalize


def skip_steps(model: Any, num_steps: int) -> None:
    """Makes the next `num_steps` steps of `fit` do nothing: they neither read data nor train.

    On TensorFlow, `fit` calls `train_function(iterator)`, which returns the logs; on JAX it also passes the variables,
    and gets them back.
    """
    train = model.train_function
    logs = model.get_metrics_result()
    left = num_steps

    def skip(*state_and_iterator: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            model.train_function = train
        return logs if len(state_and_iterator) == 1 else (logs, state_and_iterator[0])

    model.train_function = skip


def call_on_test_end(callbacks: keras.callbacks.CallbackList, logs: dict[str, Any]) -> None:
    """`CallbackList.on_test_end` with the original logs: Keras passes a copy, so values that callbacks add are lost."""
    for callback in callbacks.callbacks:
        callback.on_test_end(logs)
    callbacks._on_end()
