"""Reads the images of any source, resized: image files, rows of arrays, or images that a source itself returns."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from seqtrain.errors import ConfigError
from seqtrain.sequences.decoding import read_image
from seqtrain.sequences.image_format import CHANNELS
from seqtrain.sequences.resizing import fit, scaled_size
from seqtrain.sources.base import Source
from seqtrain.structure import ImageArray, Indices, Size
from seqtrain.types import Color, Resize

_MOST_CHANNELS = 4


class ImageReader:
    """Reads the images of a source and resizes them.

    Args:
        source: The source of the samples.
        num_channels: The number of channels of each image.
        resize: See `resizing`.
    """

    stored_size: Size | None = None
    """Height and width; None if they may differ."""

    def __init__(self, source: Source, num_channels: int, resize: Resize) -> None:
        self.source = source
        self.num_channels = num_channels
        self.resize: Resize = resize

    def read(self, index: int, image: ImageArray) -> None:
        """Writes a sample's image, resized, into (height, width) for one channel, or (height, width, channels)."""
        raise NotImplementedError


class FileImageReader(ImageReader):
    """Reads image files: samples have a `path`. A file of another colour is converted."""

    def read(self, index: int, image: ImageArray) -> None:
        """See `ImageReader`."""
        color: Color = "gray" if self.num_channels == 1 else "rgb"
        read_resized(self.source[index]["path"], image, color, self.resize)


class SourceImageReader(ImageReader):
    """Reads images that a source itself returns, such as slices of volumes. An image of another colour is converted."""

    def read(self, index: int, image: ImageArray) -> None:
        """See `ImageReader`."""
        read = self.source.read_picture(index)
        if read.ndim != image.ndim:
            read = np.asarray(cv2.cvtColor(read, cv2.COLOR_GRAY2RGB if read.ndim == 2 else cv2.COLOR_RGB2GRAY))
        fit(read, image, self.resize)


class ArrayImageReader(ImageReader):
    """Reads images that are rows of arrays, (height, width) or (height, width, channels), uint8.

    Args:
        source: A source with rows of arrays.
        color: The colour that the images must have; None for any.
        resize: See `resizing`.

    Raises:
        ConfigError: when the arrays are not such images.
    """

    def __init__(self, source: Source, color: Color | None, resize: Resize) -> None:
        stored = source.fields["x"]
        super().__init__(source, stored.shape[2] if len(stored.shape) == 3 else 1, resize)
        if stored.dtype != "uint8" or len(stored.shape) not in (2, 3) or self.num_channels > _MOST_CHANNELS:
            raise ConfigError(
                "the source's arrays are no 8-bit pictures",
                where=source.describe(0),
                expected=f"uint8, (height, width) or (height, width, channels) with at most {_MOST_CHANNELS} channels",
                received=f"{stored.dtype}, {stored.shape}",
                fix="save them as uint8, 0 to 255, with the channels last",
            )
        if color is not None and self.num_channels != CHANNELS[color]:
            raise ConfigError(
                f"color: the stored pictures are not {color}, they have {self.num_channels} channels",
                fix="leave color out: arrays are taken as they are",
            )
        self.stored_size = stored.shape[0], stored.shape[1]

    def read(self, index: int, image: ImageArray) -> None:
        """See `ImageReader`."""
        stored = self.source.fields["x"].empty(1)
        self.source.read_rows(np.array([index]), {"x": stored})
        stored_image = stored.reshape(self.stored_size) if self.num_channels == 1 else stored[0]
        if stored_image.shape == image.shape:
            image[...] = stored_image
        else:
            fit(stored_image, image, self.resize)


def image_reader(source: Source, indices: Indices, color: Color | None, resize: Resize) -> ImageReader:
    """The reader of a source's images.

    Args:
        source: A source that has image files (a `path`), rows of arrays, or `read_picture(index)`.
        indices: Samples of the source, of which the first is checked.
        color: "rgb" or "gray". Default: as stored for rows of arrays, otherwise "rgb".
        resize: See `resizing`.

    Raises:
        ConfigError: when the source has no images, or arrays of another kind.
    """
    if source.has_rows:
        return ArrayImageReader(source, color, resize)
    if source.has_pictures:  # its samples may have a `path` too, that of a volume
        return SourceImageReader(source, CHANNELS[color or "rgb"], resize)
    if "path" in source[int(indices[0])]:
        return FileImageReader(source, CHANNELS[color or "rgb"], resize)
    raise ConfigError(
        f"the source {type(source).__name__} has no pictures",
        expected="a source whose samples have a `path`, or one with rows of arrays or `read_picture(index)`",
        fix="use images, image_folder, image_manifest, arrays or csv_pixels",
    )


def read_resized(
    path: str,
    image: ImageArray,
    color: Color,
    resize: Resize,
    smallest: Callable[[Size, Size, Resize], Size] = scaled_size,
) -> None:
    """Reads an image file and writes it, resized, into an image of any size.

    Args:
        path: The path of the file.
        image: (height, width) for gray, else (height, width, 3).
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: See `resizing`.
        smallest: A function from the sizes of file and image to the smallest size at which a JPEG may be decoded.
    """
    size = image.shape[0], image.shape[1]
    fit(read_image(path, color, lambda stored: smallest(stored, size, resize)), image, resize)
