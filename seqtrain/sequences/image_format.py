"""What pictures become in a batch: their size, colour and layout, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seqtrain.signature import argument_group
from seqtrain.structure import FieldSpec, Kind, Picture
from seqtrain.types import Color, DataFormat, ImageSize, Resize

CHANNELS: dict[Color, int] = {"gray": 1, "rgb": 3}


@argument_group
@dataclass(frozen=True)
class ImageFormat:
    """The form of pictures in a batch.

    A picture is (height, width) in gray and (height, width, 3) in colour; its row in a batch always has an axis of
    channels, the last or the first.

    Args:
        image_size: Height and width in pixels.
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: Where proportions differ: "stretch" the picture, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are.
    """

    image_size: ImageSize
    color: Color = "rgb"
    resize: Resize = "stretch"
    data_format: DataFormat = "channels_last"

    def field(self, kind: Kind | None = None) -> FieldSpec:
        """The field of a batch that holds such pictures."""
        channels = CHANNELS[self.color]
        first = self.data_format == "channels_first"
        return FieldSpec((channels, *self.image_size) if first else (*self.image_size, channels), "uint8", kind=kind)

    def picture_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """The shape of a picture of some size in this colour."""
        return size if self.color == "gray" else (*size, CHANNELS[self.color])

    def write(self, row: Picture, paint: Callable[[Picture], None]) -> None:
        """Fills the row of one sample with a picture.

        Args:
            row: Of a batch, without the batch axis.
            paint: Writes the picture into an array of `picture_shape`; a view of the row, where its layout allows.
        """
        if self.color == "gray":
            paint(row.reshape(self.image_size))
        elif self.data_format == "channels_last":
            paint(row)
        else:
            picture = np.empty(self.picture_shape(self.image_size), dtype=np.uint8)
            paint(picture)
            row[...] = np.moveaxis(picture, -1, 0)
