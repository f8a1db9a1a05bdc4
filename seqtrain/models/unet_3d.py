"""The U-Net for volumes: a class for each voxel of a patch."""

from __future__ import annotations

from typing import Any, Literal

from seqtrain.models.arguments import DropoutRate
from seqtrain.models.unet import LevelWidths
from seqtrain.registry import models
from seqtrain.types import DataFormat


@models.register("unet_3d")
def unet_3d(
    input_shape: tuple[int, ...],
    input_dtype: str,
    num_classes: int | None,
    data_format: DataFormat = "channels_last",
    filters: LevelWidths = (16, 32, 64),
    dropout: DropoutRate = 0.0,
    normalization: Literal["batch", "group", "none"] = "group",
) -> Any:
    """Segments volumes of any size: the probability of each class at each voxel.

    Args:
        input_shape: The shape of one volume or patch; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        num_classes: The number of classes in the masks, including the background; supplied by the run.
        data_format: The layout of the volumes; supplied by the run. The network computes in channels_last, as is its
            output.
        filters: The filters of each level, from full resolution to the bottom; each level halves depth, height and
            width.
        dropout: The share of feature maps to drop at the bottom.
        normalization: "group" for small batches, "batch" for batches of eight patches and more, or "none".

    Shapes:
        x: (batch, depth, height, width, channels), (batch, channels, depth, height, width) or (batch, depth, height,
            width)
        output: (batch, depth, height, width, num_classes), softmax, float32

    Raises:
        ConfigError: when the input is not a volume, or there are fewer than two classes.

    Source:
        Çiçek et al., 2016, "3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation"; with padded
        convolutions, so that the output has the input's size; group normalisation as Wu and He, 2018.

    Example:
        model: {name: unet_3d, filters: [8, 16, 32]}
    """
    import keras

    from seqtrain.models import unet_blocks
    from seqtrain.models.layers import channels_last, float_input

    classes = unet_blocks.check_input("unet_3d", input_shape, num_classes, dimensions=3)
    inputs, x = float_input(input_shape, input_dtype, name="volume")
    x = channels_last(x, input_shape, 3, data_format)
    x = unet_blocks.encode_and_decode(x, filters, 3, dropout, normalization)
    return keras.Model(inputs, unet_blocks.class_probabilities(x, classes, 3), name="unet_3d")
