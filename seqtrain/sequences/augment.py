"""Random augmentation of pictures: one affine map for all of the geometry, one table for brightness and contrast.

Flips, rotation, zoom, shift and crop are drawn as numbers (`Geometry`) and become one matrix, so that pixels are
interpolated once and an image costs little more than without. A mask goes through the same matrix with `nearest=True`,
and stays on its image.

A point is (x, y) at the centre of a pixel, so the middle of a picture is ((width - 1) / 2, (height - 1) / 2), and a
turn by 90 degrees or a flip moves every pixel onto another exactly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.signature import argument_group
from seqtrain.structure import Picture, Size
from seqtrain.types import Degrees, Fraction, Probability, ProperFraction

Matrix = npt.NDArray[np.float64]
CropFraction = Annotated[float, Field(ge=0.1, le=1)]

_MIDDLE_GRAY, _WHITE = 127.5, 255
_NUMBERS_PER_SAMPLE = 8


@dataclass(frozen=True)
class Geometry:
    """What was drawn for one sample.

    Args:
        flips: Whether left and right, and whether top and bottom, change places.
        rotation_degrees: Counter-clockwise.
        zoom: Factor; above 1 things grow.
        shift: To the right and down, in fractions of the width and the height.
        window: Where between left and right, top and bottom of a larger canvas the result lies, from 0 to below 1.
    """

    flips: tuple[bool, bool] = (False, False)
    rotation_degrees: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    window: tuple[float, float] = (0.5, 0.5)

    @property
    def moves(self) -> bool:
        """Whether a pixel ends elsewhere, in a canvas of the result's size."""
        return any(self.flips) or self.rotation_degrees != 0 or self.zoom != 1 or any(self.shift)

    def matrix(self, canvas_size: Size, size: Size) -> Matrix:
        """The map from a point of the result to the point of the canvas that it shows, as (2, 3).

        Args:
            canvas_size: Of the picture that is looked at; the result's size or larger.
            size: Of the result.
        """
        extent, canvas = np.array(size[::-1]), np.array(canvas_size[::-1])
        angle = np.deg2rad(self.rotation_degrees)
        cosine, sine = np.cos(angle), np.sin(angle)
        mirror = np.where(self.flips, -1.0, 1.0)
        linear = mirror[:, None] * np.array([[cosine, -sine], [sine, cosine]]) / self.zoom
        middle = (extent - 1) / 2
        corner = np.floor((canvas - extent + 1) * np.array(self.window))
        offset = corner + middle - linear @ (middle + np.array(self.shift) * extent)
        return np.column_stack([linear, offset])


class Warp(NamedTuple):
    """How a picture is shown: as it is, or as a matrix shows a canvas.

    Args:
        canvas_size: The size in which the picture is read before it is warped.
        matrix: See `Geometry.matrix`; None for the picture as it is.
    """

    canvas_size: Size
    matrix: Matrix | None

    def apply(self, read: Callable[[Picture], None], out: Picture, nearest: bool = False) -> None:
        """Writes into `out` what is shown of a picture; beyond its edges, the nearest pixel of the edge.

        Args:
            read: Writes the picture into an array of any size.
            out: (height, width) or (height, width, channels).
            nearest: Take the nearest pixel instead of interpolating: for class ids.
        """
        if self.matrix is None:
            read(out)
            return
        canvas = np.empty((*self.canvas_size, *out.shape[2:]), dtype=np.uint8)
        read(canvas)
        cv2.warpAffine(
            canvas,
            self.matrix,
            (out.shape[1], out.shape[0]),
            dst=out,
            flags=(cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


@argument_group
@dataclass(frozen=True)
class GeometricAugmentation:
    """How pictures are flipped, turned, moved, scaled and cropped at random.

    Args:
        horizontal_flip: Probability that left and right change places.
        vertical_flip: Probability that top and bottom change places.
        rotation: Turn about the centre by up to so many degrees to either side.
        shift: Move by up to this fraction of the width and of the height.
        zoom: Grow or shrink by up to this fraction.
        random_crop: Cut out a window with this fraction of the picture's height and width at a random place.
    """

    horizontal_flip: Probability = 0.0
    vertical_flip: Probability = 0.0
    rotation: Degrees = 0.0
    shift: Fraction = 0.0
    zoom: ProperFraction = 0.0
    random_crop: CropFraction | None = field(default=None, kw_only=True)  # behind what subclasses add

    def canvas_size(self, size: Size) -> Size:
        """The size in which pictures are read, so that a window of `size` is as sharp as the whole would be."""
        if self.random_crop is None:
            return size
        return round(size[0] / self.random_crop), round(size[1] / self.random_crop)

    def draw_geometry(self, generator: np.random.Generator) -> Geometry:
        """Draws what happens to one sample.

        The same eight numbers are drawn whatever is possible: turning one augmentation on leaves the others as they
        were.
        """
        across, down, turn, size, right, below, window_x, window_y = generator.random(_NUMBERS_PER_SAMPLE).tolist()
        return Geometry(
            flips=(across < self.horizontal_flip, down < self.vertical_flip),
            rotation_degrees=(2 * turn - 1) * self.rotation,
            zoom=1 + (2 * size - 1) * self.zoom,
            shift=((2 * right - 1) * self.shift, (2 * below - 1) * self.shift),
            window=(window_x, window_y),
        )

    def draw(self, generator: np.random.Generator, size: Size) -> Warp:
        """Draws how one picture is shown in a result of `size`."""
        if self._moves_nothing:
            generator.random(_NUMBERS_PER_SAMPLE)
            return Warp(size, None)
        canvas_size = self.canvas_size(size)
        geometry = self.draw_geometry(generator)
        moves = geometry.moves or canvas_size != size
        return Warp(canvas_size, geometry.matrix(canvas_size, size) if moves else None)

    @functools.cached_property
    def _moves_nothing(self) -> bool:
        moves = (self.horizontal_flip, self.vertical_flip, self.rotation, self.shift, self.zoom)
        return not any(moves) and self.random_crop in (None, 1)


@argument_group
@dataclass(frozen=True)
class Augmentation(GeometricAugmentation):
    """The same, and how they are re-lit.

    Args:
        brightness: Add or take away up to this fraction of white.
        contrast: Draw pixels away from or towards middle gray by up to this fraction.
    """

    brightness: Fraction = 0.0
    contrast: Fraction = 0.0

    def relight(self, generator: np.random.Generator, picture: Picture) -> None:
        """Makes a picture lighter or darker and its contrast stronger or weaker at random, in place."""
        if not self.brightness and not self.contrast:
            return
        lighter, stronger = (2 * generator.random(2) - 1).tolist()
        values = np.arange(_WHITE + 1)
        values = _MIDDLE_GRAY + (values - _MIDDLE_GRAY) * (1 + stronger * self.contrast)
        table = np.clip(np.rint(values + lighter * self.brightness * _WHITE), 0, _WHITE).astype(np.uint8)
        cv2.LUT(picture, table, dst=picture)


NO_AUGMENTATION = Augmentation()
