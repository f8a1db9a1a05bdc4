"""Builds the model from the config and the shapes of the first batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtrain.config.build import build_component
from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError
from seqtrain.loading.pipeline import Data
from seqtrain.registry import models
from seqtrain.structure import FieldSpec, map_structure
from seqtrain.training.keras_objects import compile_model


def build_model(loaded: LoadedConfig, data: Data, first_batch: tuple[Any, ...]) -> Any:
    """The compiled model.

    Args:
        loaded: The config.
        data: The run's data; its sequence may know the number of classes.
        first_batch: A batch with the shapes and dtypes of the inputs.

    Raises:
        ConfigError: when the builder rejects its arguments, or does not return a model.
    """
    component = models.get(loaded.config.model.name)
    spec = data.train.spec[0] if data.train.spec else map_structure(_spec, first_batch[0])
    supplied: dict[str, Any] = {
        "input_spec": spec,
        "output_spec": _output_spec(data, first_batch),
        "num_classes": _num_classes(data, first_batch) if "num_classes" in component.signature.parameters else None,
        "data_format": data.train.data_format,
        "seed": loaded.config.seed,
    }
    single = {"input_shape", "input_dtype"} & component.signature.parameters.keys()
    if isinstance(spec, FieldSpec):
        supplied |= {"input_shape": spec.shape, "input_dtype": spec.dtype}
    elif single:
        raise ConfigError(
            f"model: '{component.name}' takes a single input, and the sequence gives several",
            where=loaded.place("model"),
            received=f"inputs {', '.join(map(str, spec)) if isinstance(spec, dict) else len(spec)}",
            fix="use a model that declares `input_spec`, such as recommender",
        )
    model = build_component(loaded, models, loaded.config.model, ("model",), supplied)
    if not hasattr(model, "fit") or not hasattr(model, "compile"):
        raise ConfigError(
            f"model: '{component.name}' returned no Keras model",
            where=loaded.place("model"),
            received=type(model).__name__,
        )
    compile_model(
        model, loaded, {"num_classes": _num_classes(data, first_batch), "class_names": data.train.class_names}
    )
    return model


def _output_spec(data: Data, first_batch: tuple[Any, ...]) -> Any:
    """The spec of the targets; None without targets."""
    if data.train.spec:
        return data.train.spec[1] if len(data.train.spec) > 1 else None
    return map_structure(_spec, first_batch[1]) if len(first_batch) > 1 else None


def _spec(array: np.ndarray[Any, Any]) -> FieldSpec:
    return FieldSpec(array.shape[1:], array.dtype.name)


def _num_classes(data: Data, first_batch: tuple[Any, ...]) -> int | None:
    """The number of classes: from the sequence, else from one-hot targets, else from integer labels of the source."""
    if data.train.num_classes is not None:
        return int(data.train.num_classes)
    if len(first_batch) < 2 or not isinstance(first_batch[1], np.ndarray):
        return None
    y = first_batch[1]
    if y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
        return int(y.shape[1])
    labels = data.source.labels
    if np.issubdtype(y.dtype, np.integer) and labels is not None and np.issubdtype(labels.dtype, np.integer):
        return int(labels.max()) + 1
    return None
