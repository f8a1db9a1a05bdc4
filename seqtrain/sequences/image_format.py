"""The format of images in a batch: their size, colour and layout, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seqtrain.signature import argument_group
from seqtrain.structure import FieldSpec, ImageArray, Kind
from seqtrain.types import Color, DataFormat, ImageSize, Resize

CHANNELS: dict[Color, int] = {"gray": 1, "rgb": 3}


@argument_group
@dataclass(frozen=True)
class ImageFormat:
    """The format of images in a batch.

    An image is (height, width) in gray and (height, width, 3) in colour; its row in a batch always has an axis of
    channels, which is the last or the first.

    Args:
        image_size: Height and width in pixels.
        color: "rgb" or "gray"; files of the other kind are converted.
        resize: If the proportions differ, "stretch" the image, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are in a batch.
    """

    image_size: ImageSize
    color: Color = "rgb"
    resize: Resize = "stretch"
    data_format: DataFormat = "channels_last"

    def field(self, kind: Kind | None = None) -> FieldSpec:
        """The spec of an array of such images."""
        channels = CHANNELS[self.color]
        first = self.data_format == "channels_first"
        return FieldSpec((channels, *self.image_size) if first else (*self.image_size, channels), "uint8", kind=kind)

    def image_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """The shape of an image of a given size in this colour."""
        return size if self.color == "gray" else (*size, CHANNELS[self.color])

    def write(self, row: ImageArray, paint: Callable[[ImageArray], None]) -> None:
        """Fills the row of one sample with an image.

        Args:
            row: A row of a batch, without the batch axis.
            paint: Writes the image into an array of `image_shape`, which is a view of the row if its layout allows.
        """
        if self.color == "gray":
            paint(row.reshape(self.image_size))
        elif self.data_format == "channels_last":
            paint(row)
        else:
            image = np.empty(self.image_shape(self.image_size), dtype=np.uint8)
            paint(image)
            row[...] = np.moveaxis(image, -1, 0)
