"""The encoder and the decoder that autoencoders share.

Convolutions of stride 2 halve the image, transposed convolutions double it. An odd size is rounded up in the encoder
and cropped in the decoder, so that the output has the input's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqtrain.errors import ConfigError
from seqtrain.models.layers import CONVOLUTION
from seqtrain.structure import FieldSpec
from seqtrain.types import DataFormat


def check_images(model: str, input_shape: tuple[int, ...], output_spec: Any) -> None:
    """Checks that the inputs are images, and that the targets have the same shape.

    Raises:
        ConfigError: when they are not, or have another shape.
    """
    target = output_spec.shape if isinstance(output_spec, FieldSpec) else None
    if not isinstance(input_shape, tuple) or len(input_shape) != 3 or target != input_shape:
        raise ConfigError(
            f"the model '{model}' takes pictures, and draws them again",
            expected="x of shape (height, width, channels) or (channels, height, width), and y of the same shape",
            received=f"x of shape {input_shape}, y of shape {target}",
            fix="use the sequence 'autoencoder', or another model",
        )


def encoded(x: Any, filters: Sequence[int], kernel_size: int) -> Any:
    """The encoder: from images (channels last) to flat features; each convolution halves height and width."""
    for number, width in enumerate(filters, start=1):
        x = keras.layers.Conv2D(width, kernel_size, strides=2, **CONVOLUTION, name=f"convolution_{number}")(x)
    return keras.layers.Flatten(name="flatten", data_format="channels_last")(x)


def decoded(x: Any, shape: tuple[int, ...], data_format: DataFormat, filters: Sequence[int], kernel_size: int) -> Any:
    """The decoder: from vectors to images with values from 0 to 1, in float32 under every precision policy.

    Args:
        x: Latent vectors.
        shape: The shape of one image, in `data_format`.
        data_format: The layout of the images.
        filters: The filters of the encoder; the decoder uses them in reverse.
        kernel_size: The kernel size of the convolutions.
    """
    height, width, channels = (*shape[1:], shape[0]) if data_format == "channels_first" else shape
    sizes = [(height, width)]
    for _ in filters:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    start = (*sizes.pop(), filters[-1])
    x = keras.layers.Dense(
        start[0] * start[1] * start[2], activation="relu", kernel_initializer="he_normal", name="dense"
    )(x)
    x = keras.layers.Reshape(start, name="reshape")(x)
    for number in range(len(filters), 0, -1):
        x = _doubled(x, filters[max(number - 2, 0)], kernel_size, sizes.pop(), number)
    x = keras.layers.Conv2D(
        channels,
        kernel_size,
        padding="same",
        activation="sigmoid",
        data_format="channels_last",
        dtype="float32",
        name="picture",
    )(x)
    return keras.layers.Permute((3, 1, 2), name="to_channels_first")(x) if data_format == "channels_first" else x


def _doubled(x: Any, width: int, kernel_size: int, size: tuple[int, int], number: int) -> Any:
    name = f"transposed_convolution_{number}"
    x = keras.layers.Conv2DTranspose(width, kernel_size, strides=2, **CONVOLUTION, name=name)(x)
    surplus = x.shape[1] - size[0], x.shape[2] - size[1]
    if not any(surplus):
        return x
    crop = ((0, surplus[0]), (0, surplus[1]))
    return keras.layers.Cropping2D(crop, data_format="channels_last", name=f"cropping_{number}")(x)
