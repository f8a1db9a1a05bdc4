"""A multilayer perceptron: for tables and small vectors, and as a baseline."""

from __future__ import annotations

from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.models.arguments import Activation, ChannelDeviations, ChannelMeans, DropoutRate, LayerWidths
from seqtrain.registry import models
from seqtrain.types import Positive


@models.register("mlp")
def mlp(
    input_shape: tuple[int, ...],
    input_dtype: str,
    num_classes: int | None,
    units: LayerWidths = (64, 64),
    activation: Activation = "relu",
    dropout: DropoutRate = 0.0,
    num_outputs: Positive = 1,
    mean: ChannelMeans | None = None,
    std: ChannelDeviations | None = None,
) -> Any:
    """A multilayer perceptron over the flattened input, for classes or for values.

    Args:
        input_shape: The shape of one sample, which may be any; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        num_classes: The width of the softmax; None for linear outputs; supplied by the run.
        units: The width of each hidden layer.
        activation: The activation of the hidden layers.
        dropout: The share of units to drop after each hidden layer.
        num_outputs: The number of values to predict if there are no classes.
        mean: The mean of each channel of x, as `check --data` prints it, to subtract. Default: x is only rescaled.
        std: The standard deviation of each channel, likewise, to divide by.

    Shapes:
        x: (batch, ...)
        output: (batch, num_classes), softmax; or (batch, num_outputs)

    Raises:
        ConfigError: when the input has more than one field, or mean and std do not fit it.
    """
    import keras

    from seqtrain.models.layers import float_input, output_layer

    if not isinstance(input_shape, tuple):
        raise ConfigError(
            "the model 'mlp' takes one input",
            expected="a sequence whose x is an array",
            received=f"x of shape {input_shape}",
            fix="use a model for several inputs, such as 'recommender', or register your own",
        )
    inputs, x = float_input(input_shape, input_dtype, name="x", mean=mean, std=std)
    x = keras.layers.Flatten(name="flatten")(x)
    for number, width in enumerate(units, start=1):
        x = keras.layers.Dense(width, activation=activation, name=f"dense_{number}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(inputs, output_layer(num_classes, num_outputs)(x), name="mlp")
