"""Pictures of any source, written in any size: image files, rows of arrays, pictures that a source makes itself."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from seqtrain.errors import ConfigError
from seqtrain.sequences.decoding import read_picture
from seqtrain.sequences.image_format import CHANNELS
from seqtrain.sequences.resizing import fit, scaled_size
from seqtrain.sources.base import Source
from seqtrain.structure import Indices, Picture, Size
from seqtrain.types import Color, Resize

_MOST_CHANNELS = 4


class Pictures:
    """The pictures of a source, each brought to the size that is asked for.

    Args:
        source: Of the samples.
        num_channels: Of each picture.
        resize: See `resizing`.
    """

    stored_size: Size | None = None
    """Height and width, or None where they may differ."""

    def __init__(self, source: Source, num_channels: int, resize: Resize) -> None:
        self.source = source
        self.num_channels = num_channels
        self.resize: Resize = resize

    def read(self, index: int, picture: Picture) -> None:
        """Writes a sample's picture, resized, into (height, width) for one channel, else (height, width, channels)."""
        raise NotImplementedError


class FilePictures(Pictures):
    """Pictures in files: samples have a `path`. A file of another colour is converted."""

    def read(self, index: int, picture: Picture) -> None:
        """See `Pictures`."""
        color: Color = "gray" if self.num_channels == 1 else "rgb"
        read_resized(self.source[index]["path"], picture, color, self.resize)


class MadePictures(Pictures):
    """Pictures that a source makes itself, such as slices of volumes. One of another colour is converted."""

    def read(self, index: int, picture: Picture) -> None:
        """See `Pictures`."""
        read = self.source.read_picture(index)
        if read.ndim != picture.ndim:
            read = np.asarray(cv2.cvtColor(read, cv2.COLOR_GRAY2RGB if read.ndim == 2 else cv2.COLOR_RGB2GRAY))
        fit(read, picture, self.resize)


class ArrayPictures(Pictures):
    """Pictures that are arrays already, (height, width) or (height, width, channels), uint8.

    Args:
        source: With rows of arrays.
        color: What they are to be; None for what they are.
        resize: See `resizing`.

    Raises:
        ConfigError: when the arrays are no such pictures.
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

    def read(self, index: int, picture: Picture) -> None:
        """See `Pictures`."""
        stored = self.source.fields["x"].empty(1)
        self.source.read_rows(np.array([index]), {"x": stored})
        as_picture = stored.reshape(self.stored_size) if self.num_channels == 1 else stored[0]
        if as_picture.shape == picture.shape:
            picture[...] = as_picture
        else:
            fit(as_picture, picture, self.resize)


def pictures_of(source: Source, indices: Indices, color: Color | None, resize: Resize) -> Pictures:
    """How to read a source's pictures.

    Args:
        source: Whose samples have a `path`, or which has rows of arrays or `read_picture(index)`.
        indices: Of its samples; one is looked at.
        color: "rgb" or "gray". Default: as stored for rows of arrays, else "rgb".
        resize: See `resizing`.

    Raises:
        ConfigError: when the source has no pictures, or arrays of another kind.
    """
    if source.has_rows:
        return ArrayPictures(source, color, resize)
    if source.has_pictures:  # its samples may have a `path` too, that of a volume
        return MadePictures(source, CHANNELS[color or "rgb"], resize)
    if "path" in source[int(indices[0])]:
        return FilePictures(source, CHANNELS[color or "rgb"], resize)
    raise ConfigError(
        f"the source {type(source).__name__} has no pictures",
        expected="a source whose samples have a `path`, or one with rows of arrays or `read_picture(index)`",
        fix="use images, image_folder, image_manifest, arrays or csv_pixels",
    )


def read_resized(
    path: str,
    picture: Picture,
    color: Color,
    resize: Resize,
    smallest: Callable[[Size, Size, Resize], Size] = scaled_size,
) -> None:
    """Reads an image file and writes it, resized, into a picture of any size.

    Args:
        path: Of the file.
        picture: (height, width) for gray, else (height, width, 3).
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: See `resizing`.
        smallest: From the sizes of file and picture, the smallest size that a JPEG may be decoded at.
    """
    size = picture.shape[0], picture.shape[1]
    fit(read_picture(path, color, lambda stored: smallest(stored, size, resize)), picture, resize)
