"""Builds and compiles the model, and tests it on one batch, to find mismatches before training."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError
from seqtrain.loading.pipeline import Data, first_batch
from seqtrain.structure import named_leaves
from seqtrain.training.memory import is_out_of_memory, out_of_memory
from seqtrain.training.model import build_model
from seqtrain.training.recorder import scalar_logs

log = logging.getLogger("seqtrain")


def model_and_logs(loaded: LoadedConfig, data: Data) -> tuple[Any, dict[str, float]]:
    """The compiled model, and the logs of an epoch, found by testing the model on one batch."""
    first = first_batch(data.train)
    try:
        model = build_model(loaded, data, first)
        warn_of_untrained(loaded, model)
        batch = first_batch(data.val) if data.val is not None else first
        tested = _test_logs(loaded, model, batch)
        model.optimizer.build(model.trainable_variables)
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory(loaded, error) from error
        raise
    model.reset_metrics()
    if data.val is None:
        return model, tested
    return model, {**tested, **{f"val_{name}": value for name, value in tested.items()}}


def warn_of_untrained(loaded: LoadedConfig, model: Any) -> None:
    """Warns about outputs without a loss in `compile.loss`."""
    loss = loaded.config.compile and loaded.config.compile.loss
    try:
        outputs = model.output
    except (AttributeError, ValueError):  # the model declares no outputs
        return
    names = outputs if isinstance(outputs, Mapping) else getattr(model, "output_names", ())
    without = [name for name in names if isinstance(loss, Mapping) and name not in loss]
    if without:
        log.warning("compile.loss: not trained, as it has no loss: %s", ", ".join(without))


def _test_logs(loaded: LoadedConfig, model: Any, batch: tuple[Any, ...]) -> dict[str, float]:
    """The logs of testing one batch; eagerly on TensorFlow, where building the graph takes longer than the batch.

    User code and XLA may fail in a graph although an eager step succeeds, so with these the graph is built.
    """
    compiled = loaded.config.compile
    needs_graph = bool(loaded.config.imports) or (compiled is not None and compiled.jit_compile is True)
    former = model.run_eagerly
    model.run_eagerly = former or (keras.backend.backend() == "tensorflow" and not needs_graph)
    try:
        return scalar_logs(model.test_on_batch(*batch, return_dict=True))
    except Exception as error:
        raise _misfit_error(loaded, model, batch, error) from error
    finally:
        model.run_eagerly, model.test_function = former, None


def _misfit_error(loaded: LoadedConfig, model: Any, batch: tuple[Any, ...], error: Exception) -> ConfigError:
    """The error for a model that cannot be tested on a batch: usually a loss or metric does not fit the targets."""
    shapes = [f"{name} {array.shape} {array.dtype}" for name, array in named_leaves(batch)]
    # TensorFlow's message starts with many lines on where the graph was built.
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    shown = lines[-2:] if "most recent call last" in str(error) else lines or [type(error).__name__]
    return ConfigError(
        "compile: the model, the loss and the metrics do not fit the batches",
        where=loaded.place("compile") if loaded.config.compile else loaded.path,
        received=f"{', '.join(shapes)}; output of the model {getattr(model, 'output_shape', 'unknown')}\n    "
        + "\n    ".join(shown[:12]),
        fix=suggest_fix(
            getattr(loaded.config.compile and loaded.config.compile.loss, "name", None),
            batch,
            getattr(model, "output_shape", None),
        ),
    )


def suggest_fix(loss: str | None, batch: tuple[Any, ...], output: Any = None) -> str:
    """Suggests a loss that fits the targets; `loss` is None if the outputs have different losses."""
    if len(batch) == 1:
        return "have the sequence return (x, y): it returns no targets, and a loss compares with some"
    leaves = dict(named_leaves(batch))
    targets = leaves.get("y")
    if targets is None:
        several = loss is not None and any(name.startswith("y.") for name in leaves)
        return "give each output a loss: {NAME: ..., NAME: ...}" if several else "choose other losses or metrics"
    if targets.dtype.kind in "iu" and targets.ndim == 1:
        if loss == "sparse_categorical_crossentropy":
            return "the loss takes class indices; choose metrics that do, such as accuracy"
        return "class indices need sparse_categorical_crossentropy; or make one-hot labels (sequence: labels: one_hot)"
    if targets.dtype.kind in "iu" and targets.ndim > 2:
        return "masks need a model such as 'unet', and dice_cross_entropy or sparse_categorical_crossentropy"
    if targets.ndim == 2 and targets.shape[1] > 1:
        width = output[-1] if isinstance(output, tuple) and len(output) == targets.ndim else targets.shape[1]
        if width != targets.shape[1]:
            return f"the targets have {targets.shape[1]} numbers and the model puts out {width}: choose one that fits"
        if targets.dtype.kind == "f" and not (targets.sum(axis=1) == 1).all() and np.isin(targets, (0, 1)).all():
            return "several labels for a sample need binary_crossentropy"
        return "one-hot labels need categorical_crossentropy"
    if targets.dtype.kind == "f":
        return "numbers to predict need mean_squared_error or mean_absolute_error"
    return "choose another loss or other metrics"
