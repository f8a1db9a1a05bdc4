"""Every use of what Keras does not publish, each with its reason: the file to read when Keras comes in a new version.

Written against Keras 3.15. It stands below all that trains, because the callbacks and a model need it too.
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
"""What Keras itself puts on every callback."""


def shared_seed() -> Any:
    """The variable with the seed that layers without one of their own share; the first call makes it."""
    return global_seed_generator().state


class NamedBuffer(io.BytesIO):
    """A file in memory. Keras looks at the end of a file's name to tell its format.

    Args:
        path: What it would be called on disk.
        content: To be read.
    """

    def __init__(self, path: str | Path, content: bytes | memoryview = b"") -> None:
        super().__init__(content)
        self.path = Path(path)

    def __str__(self) -> str:
        return str(self.path)


def save_model(model: Any, file: NamedBuffer) -> None:
    """`Model.save`, which refuses files in memory."""
    saving_lib.save_model(model, file)


def save_weights(model: Any, file: NamedBuffer, *, with_optimizer: bool) -> None:
    """`Model.save_weights`, which refuses files in memory and always saves the optimizer too."""
    saving_lib.save_weights_only(model, file, objects_to_skip=None if with_optimizer else [model.optimizer])


def load_weights(model: Any, file: Path | NamedBuffer) -> None:
    """`Model.load_weights`, of a file that was saved without the optimizer.

    Raises:
        ValueError: when they are the weights of another model; or a KeyError.
    """
    saving_lib.load_weights_only(model, file, objects_to_skip=[model.optimizer])


def sync_variables(model: Any) -> None:
    """Brings a model's variables up to date: on JAX `fit` trains copies of them."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def ignore_backup(model: Any) -> None:
    """Has `fit` begin with the epoch that it was given, also where Keras's own BackupAndRestore knows another."""
    model._initial_epoch = None


def learning_rate_or_schedule(optimizer: Any) -> Any:
    """What an optimizer was given as its learning rate; the public property calls a schedule and gives its number."""
    return getattr(optimizer, "inner_optimizer", optimizer)._learning_rate


def compile_loss(model: Any) -> Any:
    """What `compile` made of the losses; None of a model that has a `compile` of its own."""
    return getattr(model, "_compile_loss", None)


def mean_over_samples(model: Any) -> None:
    """Makes the logged losses of single outputs means over samples, as the total loss is.

    Keras weighs them by the static size of a batch, which a graph of TensorFlow does not know: there a last batch of
    two samples counts as much as one of 256.

    Args:
        model: Compiled; one with a single output has no such losses.

    Source: `CompileLoss.call` of Keras 3, which calls `update_state` of its metrics with `(value, sample_weight=...)`.
    """
    loss = compile_loss(model)
    call = loss.call

    def counting(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        for mean in loss.metrics:
            size = keras.ops.cast(keras.ops.shape(keras.tree.flatten(y_true)[0])[0], "float32")
            mean.update_state = functools.partial(_update, mean, size)
        return call(y_true, y_pred, sample_weight)

    loss.call = counting


def _update(mean: Any, size: Any, value: Any, sample_weight: Any = None) -> None:
    """Adds a batch's loss; in place of the weight that Keras hands over, the batch's size."""
    type(mean).update_state(mean, value, sample_weight=size)


def postpone_final_values(optimizer: Any) -> Callable[[Any], None]:
    """Keeps `fit` from giving the weights their final values, such as averages: on JAX it does so after a stop too.

    Returns:
        The optimizer's `finalize_variable_values`, to be called with the weights when the run has come to its end.
    """
    finalize: Callable[[Any], None] = optimizer.finalize_variable_values
    optimizer.finalize_variable_values = lambda weights: None
    return finalize


def skip_steps(model: Any, num_steps: int) -> None:
    """Has the next steps of `fit` neither ask for data nor train.

    On TensorFlow `fit` calls `train_function(iterator)` for the logs; on JAX it hands over the variables too, and gets
    them back.
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


def tell_test_end(callbacks: keras.callbacks.CallbackList, logs: dict[str, Any]) -> None:
    """`CallbackList.on_test_end` with the logs themselves: Keras shows callbacks a copy, and what they add is lost."""
    for callback in callbacks.callbacks:
        callback.on_test_end(logs)
    callbacks._on_end()
