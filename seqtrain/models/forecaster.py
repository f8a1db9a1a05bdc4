"""A forecaster of time series: the sum of a linear forecast from the window and a nonlinear, convolutional one."""

from __future__ import annotations

import math
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.models.arguments import DropoutRate
from seqtrain.registry import models
from seqtrain.structure import FieldSpec
from seqtrain.types import Positive


@models.register("forecaster")
def forecaster(
    input_shape: tuple[int, ...],
    output_spec: FieldSpec,
    filters: tuple[Positive, ...] = (32, 32),
    kernel_size: Positive = 3,
    dropout: DropoutRate = 0.0,
) -> Any:
    """Forecasts all steps of the horizon at once.

    The linear part sees the whole window, so daily and weekly periods in it are learned in a few epochs. The
    convolutions, each with twice the dilation of the one before, add a nonlinear correction.

    Args:
        input_shape: (steps, columns) of the window; supplied by the run.
        output_spec: (steps, targets) of the horizon; supplied by the run.
        filters: The filters of each convolution; with `[]` the forecast is linear.
        kernel_size: The number of steps that a convolution sees.
        dropout: The share of the convolutions' features to drop.

    Shapes:
        x: (batch, window, columns), floats
        output: (batch, horizon, targets)

    Raises:
        ConfigError: when the input or the output is not a series.

    Source:
        Lai et al., 2018, "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks", for the linear
        part; Bai et al., 2018, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
        Modeling", for the dilated causal convolutions.
    """
    import keras

    _check(input_shape, output_spec)
    size = math.prod(output_spec.shape)
    inputs = keras.Input(input_shape, dtype="float32", name="x")
    forecast = keras.layers.Dense(size, dtype="float32", name="linear")(keras.layers.Flatten(name="window")(inputs))
    if filters:
        x = inputs
        for number, width in enumerate(filters, start=1):
            x = keras.layers.Conv1D(
                width,
                kernel_size,
                padding="causal",
                dilation_rate=2 ** (number - 1),
                activation="relu",
                name=f"convolution_{number}",
            )(x)
        x = keras.layers.Flatten(name="features")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name="dropout")(x)
        # Initialised with zeros, so that training starts from the linear forecast.
        correction = keras.layers.Dense(size, kernel_initializer="zeros", dtype="float32", name="correction")(x)
        forecast = keras.layers.Add(dtype="float32", name="forecast")([forecast, correction])
    return keras.Model(inputs, keras.layers.Reshape(output_spec.shape, name="output")(forecast), name="forecaster")


def _check(input_shape: Any, output_spec: Any) -> None:
    steps_and_columns = 2
    fits = (
        isinstance(output_spec, FieldSpec)
        and output_spec.classes is None
        and len(input_shape) == len(output_spec.shape) == steps_and_columns
    )
    if not fits:
        raise ConfigError(
            "the model 'forecaster' takes one series and forecasts another",
            expected="x of (steps, columns), y of (steps, targets)",
            received=f"x of shape {input_shape}, y {output_spec}",
            fix="use the source `series` and the sequence `windows`, or another model",
        )
