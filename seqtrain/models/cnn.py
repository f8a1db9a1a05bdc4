"""A small convolutional network for images: a first model to try before larger ones.

Blocks of convolution, ReLU and max pooling, each halving the image, then one dense layer. The model rescales uint8
pixels on the device, so that batches are sent there with one byte per value.
"""

from __future__ import annotations

from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.models.arguments import ChannelDeviations, ChannelMeans, DropoutRate, LayerWidths
from seqtrain.registry import models
from seqtrain.types import DataFormat, Positive


@models.register("cnn")
def cnn(
    input_shape: tuple[int, ...],
    input_dtype: str,
    num_classes: int | None,
    data_format: DataFormat = "channels_last",
    filters: LayerWidths = (16, 32, 64),
    kernel_size: Positive = 3,
    dropout: DropoutRate = 0.2,
    dense_units: Positive = 64,
    mean: ChannelMeans | None = None,
    std: ChannelDeviations | None = None,
) -> Any:
    """A convolutional classifier, or a regressor of one value if there are no classes.

    Args:
        input_shape: The shape of one image; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        num_classes: The width of the softmax; None for one linear output; supplied by the run.
        data_format: The layout of the batches; supplied by the run. The network computes in channels_last, which CPUs
            need and GPUs prefer, and transposes channels_first batches at its input.
        filters: The filters of each block.
        kernel_size: The kernel size of the convolutions.
        dropout: The share of units to drop, before and after the dense layer.
        dense_units: The width of the dense layer.
        mean: The mean of each channel of x, as `check --data` prints it, to subtract. Default: x is only rescaled.
        std: The standard deviation of each channel, likewise, to divide by.

    Shapes:
        x: (batch, height, width, channels), (batch, channels, height, width) or (batch, height, width)
        output: (batch, num_classes), softmax; or (batch, 1)

    Raises:
        ConfigError: when the input is not an image, or mean and std do not fit it.
    """
    import keras

    from seqtrain.models.layers import channels_last, convolution_blocks, float_input, output_layer

    if not isinstance(input_shape, tuple) or len(input_shape) not in (2, 3):
        raise ConfigError(
            "the model 'cnn' takes images",
            expected="x of shape (height, width, channels), (channels, height, width) or (height, width)",
            received=f"x of shape {input_shape}",
            fix="use a sequence of images, or another model such as 'mlp'",
        )
    inputs, x = float_input(input_shape, input_dtype, name="image", mean=mean, std=std, data_format=data_format)
    x = convolution_blocks(channels_last(x, input_shape, 2, data_format), filters, kernel_size)
    x = keras.layers.Dropout(dropout, name="dropout_1")(x)
    x = keras.layers.Dense(dense_units, activation="relu", kernel_initializer="he_normal", name="dense")(x)
    x = keras.layers.Dropout(dropout, name="dropout_2")(x)
    return keras.Model(inputs, output_layer(num_classes)(x), name="cnn")
