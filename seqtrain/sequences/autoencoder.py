"""The sequence `autoencoder`: images whose target is the image itself, with noise added to the input if asked for.

Input and target get the same geometric augmentation; noise is added to the input alone. So a denoiser's target is never
noisy, and without noise the target is exactly the input.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, GeometricAugmentation
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.image_readers import image_reader
from seqtrain.sequences.noise import Noise, with_noise
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec, ImageArray
from seqtrain.types import Color, DataFormat, ImageSize, Resize

_WHITE = np.float32(255)


@sequences.register("autoencoder")
class AutoencoderSequence(SampleSequence):
    """Images that are their own targets, from every source of images; labels are not used.

    Images are augmented in training only, as in `augmented_image`. Noise is added in validation too: it differs in each
    epoch of training, and is always the same in validation. Both depend on (seed, epoch, sample) alone.

    Args:
        samples: The samples of a source that has image files (a `path`), rows of arrays of 8-bit images, or
            `read_picture(index)`.
        image_size: Height and width in pixels; required for files and slices. Default for rows of arrays: as stored.
        color: "rgb" or "gray". Default: "rgb" for files and slices, which are converted; as stored for rows of arrays,
            which are not converted.
        resize: If the proportions differ, "stretch" the image, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are in a batch.
        drop_remainder: Leave out the last batch if it is smaller.
        augmentation: See `GeometricAugmentation`.
        noise: The noise of the input: {name: gaussian, scale: S} has a standard deviation of S times white; {name:
            salt_and_pepper, fraction: F} makes a fraction F of the pixels black or white; {name: masking, fraction:
            F} makes it black.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: the same shape, float32, 0 to 1

    Raises:
        ConfigError: when the source has no images, or image_size is missing.
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
        self._reader = image_reader(samples.source, samples.indices, color, resize)
        self._size = image_size or _stored_size(self._reader.stored_size)
        self.data_format = data_format
        self._augmentation = augmentation
        self._noise = noise
        channels = self._reader.num_channels
        shape = (channels, *self._size) if data_format == "channels_first" else (*self._size, channels)
        self.spec = (FieldSpec(shape, "uint8", kind="pixels"), FieldSpec(shape, "float32", kind="pixels"))

    @property
    def class_names(self) -> None:
        """None, since the targets are images."""
        return None

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample: the target, and with noise the input."""
        x, y = rows
        channels = self._reader.num_channels
        image = np.empty(self._size if channels == 1 else (*self._size, channels), dtype=np.uint8)
        read = partial(self._reader.read, index)
        if self.augmenting:
            self._augmentation.draw(generator, self._size).apply(read, image)
        else:
            read(image)
        np.divide(self._as_row(image), _WHITE, out=y[0])
        noise = self._noise if self.augments else None
        x[0] = self._as_row(image if noise is None else with_noise(noise, image, generator))

    def _as_row(self, image: ImageArray) -> ImageArray:
        """A view of an image in the layout of a row."""
        with_channels = image[..., None] if image.ndim == 2 else image
        return np.moveaxis(with_channels, -1, 0) if self.data_format == "channels_first" else with_channels


def _stored_size(stored: tuple[int, int] | None) -> tuple[int, int]:
    if stored is None:
        raise ConfigError(
            "image_size: missing, and the pictures of this source may differ in size", fix="add `image_size: [64, 64]`"
        )
    return stored
