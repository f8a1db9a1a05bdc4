"""The two ends that models share: an input of any dtype made floats, and an output for classes or for values."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def float_input(shape: tuple[int, ...], dtype: str, name: str) -> tuple[Any, Any]:
    """The input tensor, and the same as floats: uint8 divided by 255, other integers as they are.

    Args:
        shape: Of one sample.
        dtype: NumPy's name of the batches' type.
        name: Of the input.
    """
    inputs = keras.Input(shape, dtype=dtype, name=name)
    if np.issubdtype(np.dtype(dtype), np.floating):
        return inputs, inputs
    scale = 1 / 255 if dtype == "uint8" else 1.0
    # In float32 under every precision policy: float16 ends at 65504.
    return inputs, keras.layers.Rescaling(scale, dtype="float32", name="rescaling")(inputs)


def output_layer(num_classes: int | None, num_outputs: int = 1) -> Any:
    """Softmax over the classes, or linear outputs where there are none; float32 under every precision policy."""
    if num_classes is None:
        return keras.layers.Dense(num_outputs, dtype="float32", name="output")
    return keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")
