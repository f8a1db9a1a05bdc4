"""The sequence `augmented_image`: the sequence `image`, whose training images differ in each epoch.

One affine warp for all of the geometry and one table of 256 entries for brightness and contrast: an image costs little
more than without. Validation images are those of `image`, to the last bit.
"""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.registry import sequences
from seqtrain.sequences.geometry import GeometryRange, Matrix, draw, matrix, pass_over, warp
from seqtrain.sequences.image import ImageSequence, Key, Picture
from seqtrain.sources.base import Source
from seqtrain.types import Color, DataFormat, ImageSize, Probability, Resize

Degrees = Annotated[float, Field(ge=0, le=180)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ProperFraction = Annotated[float, Field(ge=0, lt=1)]
CropFraction = Annotated[float, Field(ge=0.1, le=1)]

_MIDDLE_GRAY, _WHITE = 127.5, 255
_AS_IT_IS = np.eye(2, 3)


@sequences.register("augmented_image")
class AugmentedImageSequence(ImageSequence):
    """Images that are flipped, turned, moved, scaled, cropped and re-lit at random, for training only.

    What happens to a sample depends on (seed, epoch, sample) alone. Beyond its edges a picture goes on as the nearest
    pixel of the edge.

    Args:
        source: See `ImageSequence`.
        indices: See `SampleSequence`.
        batch_size: See `SampleSequence`.
        seed: See `SampleSequence`.
        training: Whether to augment; see also `SampleSequence`.
        image_size: Height and width in pixels.
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: Where proportions differ: "stretch" the picture, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are.
        labels: "sparse" (the class index) or "one_hot".
        drop_remainder: Leave out the last batch where it would be smaller.
        horizontal_flip: Probability that left and right change places.
        vertical_flip: Probability that top and bottom change places.
        rotation: Turn about the centre by up to so many degrees to either side.
        shift: Move by up to this fraction of the width and of the height.
        zoom: Grow or shrink by up to this fraction.
        brightness: Add or take away up to this fraction of white.
        contrast: Draw pixels away from or towards middle gray by up to this fraction.
        random_crop: Cut out a window with this fraction of the picture's height and width at a random place. The
            picture is read larger by as much, so that the window is as sharp as the whole would be.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: as `ImageSequence`

    Raises:
        ConfigError: see `ImageSequence`.
        DataError: when an image cannot be read.

    Example:
        sequence: {name: augmented_image, image_size: [64, 64], color: gray, rotation: 15, horizontal_flip: 0.5}
    """

    def __init__(
        self,
        source: Source,
        indices: npt.NDArray[np.integer],
        batch_size: int,
        seed: int,
        training: bool,
        image_size: ImageSize,
        color: Color = "rgb",
        resize: Resize = "stretch",
        data_format: DataFormat = "channels_last",
        labels: Literal["sparse", "one_hot"] = "sparse",
        drop_remainder: bool = False,
        horizontal_flip: Probability = 0.0,
        vertical_flip: Probability = 0.0,
        rotation: Degrees = 0.0,
        shift: Fraction = 0.0,
        zoom: ProperFraction = 0.0,
        brightness: Fraction = 0.0,
        contrast: Fraction = 0.0,
        random_crop: CropFraction | None = None,
    ) -> None:
        super().__init__(
            source, indices, batch_size, seed, training, image_size, color, resize, data_format, labels, drop_remainder
        )
        self._geometry = GeometryRange(horizontal_flip, vertical_flip, rotation, shift, zoom)
        self._brightness = brightness
        self._contrast = contrast
        margin = random_crop or 1
        self._canvas_size = round(image_size[0] / margin), round(image_size[1] / margin)
        self._keeps_size = self._canvas_size == tuple(image_size)
        self._stays = self._keeps_size and self._geometry == GeometryRange()

    def paint(self, key: Key, generator: np.random.Generator, picture: Picture) -> None:
        """Writes a picture, augmented where this is training."""
        if not self.augmenting:
            self.read(key, picture)
            return
        to_canvas = self._drawn(generator)
        if to_canvas is None:
            self.read(key, picture)
        else:
            canvas = np.empty((*self._canvas_size, *picture.shape[2:]), dtype=np.uint8)
            self.read(key, canvas)
            warp(canvas, to_canvas, picture)
        self._light(generator, picture)

    @property
    def _writes_as_read(self) -> bool:
        return not self.training and self._writes_like(AugmentedImageSequence)

    @property
    def _read_size(self) -> tuple[int, int]:
        return self._canvas_size if self.training else self.image_size

    def _drawn(self, generator: np.random.Generator) -> Matrix | None:
        """The map from a sample to what is shown of it, or None where that is all of it, as it is."""
        if self._stays:
            pass_over(generator)
            return None
        to_canvas = matrix(draw(self._geometry, generator), self._canvas_size, self.image_size)
        return None if self._keeps_size and np.array_equal(to_canvas, _AS_IT_IS) else to_canvas

    def _light(self, generator: np.random.Generator, picture: Picture) -> None:
        if not self._brightness and not self._contrast:
            return
        lighter, stronger = (2 * generator.random(2) - 1).tolist()
        values = np.arange(_WHITE + 1)
        values = _MIDDLE_GRAY + (values - _MIDDLE_GRAY) * (1 + stronger * self._contrast)
        table = np.clip(np.rint(values + lighter * self._brightness * _WHITE), 0, _WHITE).astype(np.uint8)
        cv2.LUT(picture, table, dst=picture)
