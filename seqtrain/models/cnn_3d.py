"""A small convolutional network for volumes: the encoder of the U-Net, then global pooling.

A lesion may be small and anywhere in a volume. So the last features are pooled over the volume, not flattened: the
number of weights does not depend on the volume's size, and a lesion is recognised in places where none was in training.
Data sets and batches are small: without normalisation, training on a few dozen volumes sometimes does not converge.
"""

from __future__ import annotations

from typing import Any, Literal

from seqtrain.errors import ConfigError
from seqtrain.models.arguments import DropoutRate, LayerWidths
from seqtrain.registry import models
from seqtrain.types import DataFormat, Positive


@models.register("cnn_3d")
def cnn_3d(
    input_shape: tuple[int, ...],
    input_dtype: str,
    num_classes: int | None,
    data_format: DataFormat = "channels_last",
    filters: LayerWidths = (16, 32, 64),
    normalization: Literal["batch", "group", "none"] = "group",
    pooling: Literal["max", "average"] = "max",
    dropout: DropoutRate = 0.2,
    dense_units: Positive = 64,
) -> Any:
    """A convolutional classifier of volumes, or a regressor of one value if there are no classes.

    Args:
        input_shape: The shape of one volume; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        num_classes: The width of the softmax; None for one linear output; supplied by the run.
        data_format: The layout of the batches; supplied by the run. The network computes in channels_last, and
            transposes channels_first batches at its input.
        filters: The filters of each block of two convolutions; each block halves depth, height and width.
        normalization: "group" for small batches, "batch" for batches of eight volumes and more, or "none".
        pooling: The pooling over the volume after the last block: "max" for what is in one place, such as a lesion;
            "average" for what is everywhere, such as a texture or an age.
        dropout: The share of units to drop, before and after the dense layer.
        dense_units: The width of the dense layer.

    Shapes:
        x: (batch, depth, height, width, channels), (batch, channels, depth, height, width) or (batch, depth, height,
            width)
        output: (batch, num_classes), softmax; or (batch, 1)

    Raises:
        ConfigError: when the input is not a volume.

    Example:
        model: {name: cnn_3d, filters: [8, 16, 32]}
    """
    import keras

    from seqtrain.models import unet_blocks
    from seqtrain.models.layers import channels_last, float_input, output_layer

    if not isinstance(input_shape, tuple) or len(input_shape) not in (3, 4):
        raise ConfigError(
            "the model 'cnn_3d' takes volumes",
            expected="x of shape (depth, height, width, channels) or (depth, height, width)",
            received=f"x of shape {input_shape}",
            fix="use a sequence of volumes, or another model such as 'cnn'",
        )
    inputs, x = float_input(input_shape, input_dtype, name="volume")
    x = channels_last(x, input_shape, 3, data_format)
    for number, width in enumerate(filters, start=1):
        x = unet_blocks.convolutions(x, width, 3, normalization, name=f"block_{number}")
        x = keras.layers.MaxPooling3D(padding="same", data_format="channels_last", name=f"pooling_{number}")(x)
    over_volume = {"max": keras.layers.GlobalMaxPooling3D, "average": keras.layers.GlobalAveragePooling3D}[pooling]
    x = over_volume(data_format="channels_last", name="pooling")(x)
    x = keras.layers.Dropout(dropout, name="dropout_1")(x)
    x = keras.layers.Dense(dense_units, activation="relu", kernel_initializer="he_normal", name="dense")(x)
    x = keras.layers.Dropout(dropout, name="dropout_2")(x)
    return keras.Model(inputs, output_layer(num_classes)(x), name="cnn_3d")
