"""A network for tables: embeddings of the categories beside the numbers, dense layers, and a head for each target."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.models.arguments import Activation, DropoutRate, LayerWidths
from seqtrain.registry import models
from seqtrain.structure import FieldSpec
from seqtrain.types import Positive


@models.register("tabular")
def tabular(
    input_spec: Mapping[str, FieldSpec],
    output_spec: Mapping[str, FieldSpec] | FieldSpec,
    units: LayerWidths = (64, 64),
    embedding_size: Positive = 8,
    activation: Activation = "relu",
    dropout: DropoutRate = 0.0,
) -> Any:
    """Predicts classes and numbers from categories and numbers.

    The heads share all layers before them. Losses and metrics are named by the targets:
    `loss: {price: mse, kind: sparse_categorical_crossentropy}`.

    Args:
        input_spec: The specs of the fields: ids with a vocabulary, and vectors of numbers; supplied by the run.
        output_spec: The spec of the target, or the specs of several targets; supplied by the run.
        units: The width of each dense layer.
        embedding_size: The size of the embeddings; at most the number of the column's values.
        activation: The activation of the dense layers.
        dropout: The share of units to drop after each dense layer.

    Shapes:
        x: a dict of fields: (batch,), integers, for categories; (batch, n), floats, for numbers
        output: (batch, classes), softmax, for a class; (batch, 1) for a number; a dict of these for several targets

    Raises:
        ConfigError: when a field is neither ids nor a vector, or a target is neither a class nor numbers.

    Source:
        Guo and Berkhahn, 2016, "Entity Embeddings of Categorical Variables".
    """
    import keras

    _check(input_spec, output_spec)
    inputs = {name: keras.Input(field.shape, dtype=field.dtype, name=name) for name, field in input_spec.items()}
    parts = []
    for number, (name, field) in enumerate(input_spec.items(), start=1):
        if field.vocabulary_size:
            size = min(embedding_size, field.vocabulary_size)
            embedding = keras.layers.Embedding(field.vocabulary_size, size, name=_layer_name("embedding", number, name))
            parts.append(embedding(inputs[name]))
        else:
            parts.append(inputs[name])
    x = keras.layers.Concatenate(name="concatenate")(parts) if len(parts) > 1 else parts[0]
    for number, width in enumerate(units, start=1):
        x = keras.layers.Dense(width, activation=activation, name=f"dense_{number}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    if isinstance(output_spec, FieldSpec):
        return keras.Model(inputs, _head(output_spec, "output")(x), name="tabular")
    outputs = {
        name: _head(field, _layer_name("head", number, name))(x)
        for number, (name, field) in enumerate(output_spec.items(), start=1)
    }
    return keras.Model(inputs, outputs, name="tabular")


def _head(field: FieldSpec, name: str) -> Any:
    """The output layer of a target."""
    from seqtrain.models.layers import output_layer

    return output_layer(len(field.classes) if field.classes else None, math.prod(field.shape), name)


def _layer_name(part: str, number: int, column: str) -> str:
    """A unique name for a column's layer, made of characters that TensorFlow allows in names."""
    return f"{part}_{number}_{re.sub('[^A-Za-z0-9]+', '_', column)}"


def _check(input_spec: Any, output_spec: Any) -> None:
    inputs = input_spec.values() if isinstance(input_spec, Mapping) else ()
    outputs = output_spec.values() if isinstance(output_spec, Mapping) else (output_spec,)
    fits = (
        bool(inputs)
        and all(field.shape == () if field.vocabulary_size else len(field.shape) == 1 for field in inputs)
        and all(isinstance(field, FieldSpec) and len(field.shape) <= 1 for field in outputs)
    )
    if not fits:
        raise ConfigError(
            "the model 'tabular' takes numbers and categories",
            expected="x with fields of ids with a vocabulary, or of vectors; y of classes or numbers",
            received=f"x {input_spec}, y {output_spec}",
            fix="use the source and the sequence for tables, or another model, such as mlp for one vector",
        )
