"""The blocks of the U-Net in two or three dimensions.

Each level of the encoder is a block of two convolutions, followed by max pooling. Each level of the decoder doubles the
size, concatenates the encoder's features of that size, and applies such a block too. Sizes need not be powers of two:
an odd length is rounded up when it is halved, and cropped after doubling, so that the output has the input's size.

Everything is computed in channels_last: CPUs support no other layout, and GPUs prefer it.

Source:
    Ronneberger, Fischer and Brox, 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation"; Çiçek et
    al., 2016, "3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras

from seqtrain.errors import ConfigError

Dimensions = Literal[2, 3]
Normalization = Literal["batch", "group", "none"]

_BATCH_MOMENTUM = 0.9  # with Keras's 0.99, the moving averages used in validation need hundreds of steps to settle
_MOST_GROUPS = 8
_LAYERS = {
    name: (getattr(keras.layers, f"{name}2D"), getattr(keras.layers, f"{name}3D"))
    for name in ("Conv", "MaxPooling", "Cropping", "SpatialDropout")
} | {"ConvTranspose": (keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)}


def encode_and_decode(
    x: Any,
    filters: Sequence[int],
    dimensions: Dimensions,
    dropout: float = 0.0,
    normalization: Normalization = "batch",
) -> Any:
    """The whole U-Net, from an image or a volume to features of the same size.

    Args:
        x: (batch, height, width, channels) or (batch, depth, height, width, channels), floats.
        filters: The filters of each level; the last level is the bottom, between encoder and decoder.
        dimensions: 2 for images, 3 for volumes.
        dropout: The share of feature maps to drop at the bottom, where the network is widest.
        normalization: See `convolutions`.

    Returns:
        Features of the size of `x`, with `filters[0]` channels.
    """
    skips = []
    for level, width in enumerate(filters[:-1], start=1):
        x = convolutions(x, width, dimensions, normalization, name=f"encoder_{level}")
        skips.append(x)
        x = _layer("MaxPooling", dimensions)(2, padding="same", name=f"pooling_{level}", **_LAST)(x)
    x = convolutions(x, filters[-1], dimensions, normalization, name="bottom")
    if dropout:
        x = _layer("SpatialDropout", dimensions)(dropout, name="dropout", **_LAST)(x)
    for level, skip in reversed(list(enumerate(skips, start=1))):
        x = double(x, skip, filters[level - 1], dimensions, name=f"up_{level}")
        x = convolutions(x, filters[level - 1], dimensions, normalization, name=f"decoder_{level}")
    return x


def convolutions(x: Any, filters: int, dimensions: Dimensions, normalization: Normalization, name: str) -> Any:
    """Two convolutions with kernels of size 3, each followed by normalisation and ReLU.

    Args:
        x: Channels last.
        filters: The filters of both convolutions.
        dimensions: 2 for images, 3 for volumes.
        normalization: "batch" for batches of eight and more; "group" for smaller batches; "none".
        name: The prefix of the layers' names.
    """
    for number in (1, 2):
        x = _layer("Conv", dimensions)(
            filters,
            3,
            padding="same",
            use_bias=normalization == "none",
            kernel_initializer="he_normal",
            name=f"{name}_convolution_{number}",
            **_LAST,
        )(x)
        if normalization == "batch":
            x = keras.layers.BatchNormalization(momentum=_BATCH_MOMENTUM, name=f"{name}_normalization_{number}")(x)
        elif normalization == "group":
            groups = _num_groups(filters)
            x = keras.layers.GroupNormalization(groups, name=f"{name}_normalization_{number}")(x)
        x = keras.layers.ReLU(name=f"{name}_relu_{number}")(x)
    return x


def double(x: Any, skip: Any, filters: int, dimensions: Dimensions, name: str) -> Any:
    """Doubles the size of `x` by a transposed convolution, and concatenates the encoder's features `skip`."""
    up = _layer("ConvTranspose", dimensions)(filters, 2, strides=2, name=name, **_LAST)(x)
    excess = [has - wanted for has, wanted in zip(up.shape[1:-1], skip.shape[1:-1], strict=True)]
    if any(excess):
        up = _layer("Cropping", dimensions)([(0, length) for length in excess], name=f"{name}_crop", **_LAST)(up)
    return keras.layers.Concatenate(name=f"{name}_join")([up, skip])


def class_probabilities(x: Any, num_classes: int, dimensions: Dimensions) -> Any:
    """Softmax over the classes of each pixel; float32 under every precision policy."""
    scores = _layer("Conv", dimensions)(num_classes, 1, dtype="float32", name="scores", **_LAST)(x)
    return keras.layers.Softmax(dtype="float32", name="output")(scores)


def check_input(model: str, input_shape: Any, num_classes: int | None, dimensions: Dimensions) -> int:
    """Checks the input and the number of classes; returns the latter.

    Raises:
        ConfigError: when x is not an image (or volume) of a known size, or there are fewer than two classes.
    """
    sides = "height, width" if dimensions == 2 else "depth, height, width"
    ranks = (dimensions, dimensions + 1)
    if not isinstance(input_shape, tuple) or len(input_shape) not in ranks or not all(input_shape):
        raise ConfigError(
            f"the model '{model}' takes {'images' if dimensions == 2 else 'volumes'} of one size",
            expected=f"x of shape ({sides}, channels) or ({sides})",
            received=f"x of shape {input_shape}",
            fix="use a sequence of images with masks, such as image_mask"
            if dimensions == 2
            else "use a sequence of volumes with masks, such as volume_patches",
        )
    if num_classes is None or num_classes < 2:
        raise ConfigError(
            f"the model '{model}' needs at least two classes",
            received="targets without classes" if num_classes is None else "one class",
            fix="name the background and the others in the source's `classes`, and use a sequence that gives masks",
        )
    return num_classes


_LAST = {"data_format": "channels_last"}


def _layer(name: str, dimensions: Dimensions) -> Any:
    return _LAYERS[name][dimensions - 2]


def _num_groups(filters: int) -> int:
    return next(groups for groups in range(min(_MOST_GROUPS, filters), 0, -1) if filters % groups == 0)
