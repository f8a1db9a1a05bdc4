"""The sequence `autoencoder`: pictures whose target is the picture itself, noisy at the input where that is asked for.

Input and target are one picture under one geometry: the target is written first, and noise is added on the way to the
input. So a denoiser's target is never noisy, and an autoencoder's target equals its input to the last bit.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, GeometricAugmentation
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.noise import Noise, with_noise
from seqtrain.sequences.pictures import pictures_of
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec, Picture
from seqtrain.types import Color, DataFormat, ImageSize, Resize

_WHITE = np.float32(255)


@sequences.register("autoencoder")
class AutoencoderSequence(SampleSequence):
    """Pictures with themselves as targets, from every source of pictures; labels are left alone.

    Pictures are augmented for training only, as `augmented_image` does. Noise is added for validation too: for
    training other noise in each epoch, for validation always the same. Both depend on (seed, epoch, sample) alone.

    Args:
        samples: Of a source whose samples have a `path`, or which has rows of arrays of 8-bit pictures or
            `read_picture(index)`.
        image_size: Height and width in pixels. Files and slices need it; rows of arrays are as stored by default.
        color: "rgb" or "gray". Default: "rgb" for files and slices, which are converted; as stored for rows of arrays,
            which are not.
        resize: Where proportions differ: "stretch" the picture, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are.
        drop_remainder: Leave out the last batch where it would be smaller.
        augmentation: See `GeometricAugmentation`.
        noise: What the input has and the target has not: {name: gaussian, scale: S} with a standard deviation of S
            times white; {name: salt_and_pepper, fraction: F}, F of the pixels black or white; {name: masking,
            fraction: F}, F of the pixels black.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: the same shape, float32, 0 to 1

    Raises:
        ConfigError: when the source has no pictures, or image_size is missing.
        DataError: when an image cannot be read.

    Example:
        sequence: {name: autoencoder, image_size: [32, 32], color: gray, noise: {name: gaussian, scale: 0.2}}
    """

    def __init__(
        self,
        samples: Samples[Source],
        image_size: ImageSize | None = None,
        color: Color | None = None,
        resize: Resize = "stretch",
        data_format: DataFormat = "channels_last",
        drop_remainder: bool = False,
        augmentation: GeometricAugmentation = NO_AUGMENTATION,
        noise: Noise | None = None,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        self._pictures = pictures_of(samples.source, samples.indices, color, resize)
        self._size = image_size or _stored_size(self._pictures.stored_size)
        self.data_format = data_format
        self._augmentation = augmentation
        self._noise = noise
        channels = self._pictures.num_channels
        shape = (channels, *self._size) if data_format == "channels_first" else (*self._size, channels)
        self.spec = (FieldSpec(shape, "uint8", kind="pixels"), FieldSpec(shape, "float32", kind="pixels"))

    @property
    def class_names(self) -> None:
        """None: whatever classes the source has, the targets are pictures."""
        return None

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample: what the target shows, with noise, is the input."""
        x, y = rows
        channels = self._pictures.num_channels
        picture = np.empty(self._size if channels == 1 else (*self._size, channels), dtype=np.uint8)
        read = partial(self._pictures.read, index)
        if self.augmenting:
            self._augmentation.draw(generator, self._size).apply(read, picture)
        else:
            read(picture)
        np.divide(self._as_row(picture), _WHITE, out=y[0])
        noise = self._noise if self.augments else None
        x[0] = self._as_row(picture if noise is None else with_noise(noise, picture, generator))

    def _as_row(self, picture: Picture) -> Picture:
        """A view of a picture in the layout of a row."""
        with_channels = picture[..., None] if picture.ndim == 2 else picture
        return np.moveaxis(with_channels, -1, 0) if self.data_format == "channels_first" else with_channels


def _stored_size(stored: tuple[int, int] | None) -> tuple[int, int]:
    if stored is None:
        raise ConfigError(
            "image_size: missing, and the pictures of this source may differ in size", fix="add `image_size: [64, 64]`"
        )
    return stored
