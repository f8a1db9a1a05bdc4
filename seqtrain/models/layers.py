"""Layers that models share: floating-point inputs, blocks of convolutions, and outputs for classes or values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from seqtrain.errors import ConfigError
from seqtrain.types import DataFormat


def float_input(
    shape: tuple[int, ...],
    dtype: str,
    name: str,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    data_format: DataFormat = "channels_last",
) -> tuple[Any, Any]:
    """The input tensor, and the same as floats: standardised, or divided by 255 if they are uint8.

    Args:
        shape: The shape of one sample.
        dtype: The batches' dtype, by its NumPy name.
        name: The name of the input.
        mean: Subtracted from the values of the batches; one number per channel, or one for all.
        std: The result is divided by this; likewise.
        data_format: Which axis holds the channels, if a sample has three axes; otherwise the last axis does.

    Raises:
        ConfigError: when only one of mean and std is given, or their length is not the number of channels.
    """
    inputs = keras.Input(shape, dtype=dtype, name=name)
    if mean is not None or std is not None:
        scale, offset = _scale_and_offset(shape, mean, std, data_format)
        return inputs, keras.layers.Rescaling(scale, offset, dtype="float32", name="standardisation")(inputs)
    if np.issubdtype(np.dtype(dtype), np.floating):
        return inputs, inputs
    factor = 1 / 255 if dtype == "uint8" else 1.0
    # In float32 under every precision policy: the largest float16 is 65504.
    return inputs, keras.layers.Rescaling(factor, dtype="float32", name="rescaling")(inputs)


def channels_last(x: Any, input_shape: tuple[int, ...], dimensions: int, data_format: str) -> Any:
    """The input with its channels on the last axis; an axis is added if it has no channels."""
    if len(input_shape) == dimensions:
        return keras.layers.Reshape((*input_shape, 1), name="add_channel")(x)
    if data_format == "channels_first":
        return keras.layers.Permute((*range(2, dimensions + 2), 1), name="to_channels_last")(x)
    return x


CONVOLUTION: Mapping[str, Any] = {
    "padding": "same",
    "activation": "relu",
    "data_format": "channels_last",
    "kernel_initializer": "he_normal",
}
"""The arguments that convolutions of small models share."""


def convolution_blocks(x: Any, filters: Sequence[int], kernel_size: int) -> Any:
    """Flat features of images (channels last): blocks of convolution, ReLU and max pooling, each halving the image."""
    for number, width in enumerate(filters, start=1):
        x = keras.layers.Conv2D(width, kernel_size, **CONVOLUTION, name=f"convolution_{number}")(x)
        x = keras.layers.MaxPooling2D(padding="same", data_format="channels_last", name=f"pooling_{number}")(x)
    return keras.layers.Flatten(name="flatten", data_format="channels_last")(x)


def output_layer(num_classes: int | None, num_outputs: int = 1, name: str = "output") -> Any:
    """Softmax over the classes, or linear outputs if there are none; float32 under every precision policy."""
    if num_classes is None:
        return keras.layers.Dense(num_outputs, dtype="float32", name=name)
    return keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name=name)


def _scale_and_offset(
    shape: tuple[int, ...], mean: Sequence[float] | None, std: Sequence[float] | None, data_format: DataFormat
) -> tuple[list[Any], list[Any]]:
    """The scale and the offset that compute (x - mean) / std, in shapes that broadcast to a sample."""
    if mean is None or std is None:
        given, lacking = ("mean", "std") if std is None else ("std", "mean")
        raise ConfigError(f"model: {given} without {lacking}", fix=f"give {lacking} too: `check --data` prints both")
    is_first = data_format == "channels_first" and len(shape) > 2
    num_channels = shape[0 if is_first else -1]
    for key, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, num_channels):
            raise ConfigError(
                f"model.{key}: its number is not that of the channels",
                expected=f"1 or {num_channels} values for x of shape {shape}",
                received=f"{len(values)}",
                fix="take what `check --data` prints",
            )
    axes = (-1, *(1,) * (len(shape) - 1)) if is_first else (-1,)
    deviations = np.asarray(std, np.float64).reshape(axes)
    means = np.asarray(mean, np.float64).reshape(axes)
    return (1 / deviations).tolist(), (-means / deviations).tolist()
