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
    """A perceptron over the flattened input, for classes or for values.

    Args:
        input_shape: Of one sample, any; supplied by the run.
        input_dtype: uint8 is rescaled to 0 to 1, other types are taken as they are; supplied by the run.
        num_classes: Width of the softmax; None for linear outputs; supplied by the run.
        units: Width of each hidden layer.
        activation: Of the hidden layers.
        dropout: Share of units left out after each hidden layer.
        num_outputs: How many values to predict where there are no classes.
        mean: Of each channel of x, as `check --data` prints it, to be subtracted; left out, x is scaled as its type is.
        std: Standard deviation of each channel, likewise, to divide by.

    Shapes:
        x: (batch, ...)
        output: (batch, num_classes), softmax; or (batch, num_outputs)

    Raises:
        ConfigError: when the input has more than one field, or mean and std do not fit it.
    """
    import keras

    from seqtrain.models.ends import float_input, output_layer

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
