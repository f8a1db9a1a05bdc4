"""The U-Net for images: a class for each pixel."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from seqtrain.models.arguments import ChannelDeviations, ChannelMeans, DropoutRate
from seqtrain.registry import models
from seqtrain.types import DataFormat, Positive

LevelWidths = Annotated[tuple[Positive, ...], Field(min_length=2)]


@models.register("unet")
def unet(
    input_shape: tuple[int, ...],
    input_dtype: str,
    num_classes: int | None,
    data_format: DataFormat = "channels_last",
    filters: LevelWidths = (16, 32, 64, 128),
    dropout: DropoutRate = 0.0,
    normalization: Literal["batch", "group", "none"] = "batch",
    mean: ChannelMeans | None = None,
    std: ChannelDeviations | None = None,
) -> Any:
    """Segments images of any height and width: the probability of each class at each pixel.

    Args:
        input_shape: The shape of one image; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        num_classes: The number of classes in the masks, including the background; supplied by the run.
        data_format: The layout of the images; supplied by the run. The network computes in channels_last, as is its
            output.
        filters: The filters of each level, from full resolution to the bottom; each level halves height and width.
        dropout: The share of feature maps to drop at the bottom.
        normalization: "batch" for batches of eight images and more, "group" for smaller batches, or "none".
        mean: The mean of each channel of x, as `check --data` prints it, to subtract. Default: x is only rescaled.
        std: The standard deviation of each channel, likewise, to divide by.

    Shapes:
        x: (batch, height, width, channels), (batch, channels, height, width) or (batch, height, width)
        output: (batch, height, width, num_classes), softmax, float32

    Raises:
        ConfigError: when the input is not an image, mean and std do not fit it, or there are fewer than two classes.

    Source:
        Ronneberger, Fischer and Brox, 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation"; with
        padded convolutions, so that the output has the input's size, and normalisation.

    Example:
        model: {name: unet, filters: [8, 16, 32]}
    """
    import keras

    from seqtrain.models import unet_blocks
    from seqtrain.models.layers import channels_last, float_input

    classes = unet_blocks.check_input("unet", input_shape, num_classes, dimensions=2)
    inputs, x = float_input(input_shape, input_dtype, name="image", mean=mean, std=std, data_format=data_format)
    x = channels_last(x, input_shape, 2, data_format)
    x = unet_blocks.encode_and_decode(x, filters, 2, dropout, normalization)
    return keras.Model(inputs, unet_blocks.class_probabilities(x, classes, 2), name="unet")
