"""Random augmentation of images: one affine transform for the geometry, one lookup table for brightness and contrast.

Flips, rotation, zoom, shift and crop are drawn as numbers (`Geometry`) and combined into one matrix, so that pixels are
interpolated once only. A mask is transformed with the same matrix and `nearest=True`, so that it still fits its image.

A point is (x, y) at the centre of a pixel. So the centre of an image is ((width - 1) / 2, (height - 1) / 2), and a flip
or a rotation by 90 degrees maps every pixel exactly onto another.
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
from seqtrain.structure import ImageArray, Size
from seqtrain.types import Degrees, Fraction, Probability, ProperFraction

Matrix = npt.NDArray[np.float64]
CropFraction = Annotated[float, Field(ge=0.1, le=1)]

_MIDDLE_GRAY, _WHITE = 127.5, 255
_NUMBERS_PER_SAMPLE = 8


@dataclass(frozen=True)
class Geometry:
    """The random geometric transform of one sample.

    Args:
        flips: Whether the image is flipped horizontally, and whether vertically.
        rotation_degrees: The angle of the rotation, counter-clockwise.
        zoom: The factor by which the image is enlarged.
        shift: The shift to the right and down, as fractions of the width and the height.
        window: The position of the crop in a larger canvas, from left and from top, as fractions from 0 to below 1.
    """

    flips: tuple[bool, bool] = (False, False)
    rotation_degrees: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    window: tuple[float, float] = (0.5, 0.5)

    @property
    def moves(self) -> bool:
        """Whether the transform changes the image, if the canvas has the size of the result."""
        return any(self.flips) or self.rotation_degrees != 0 or self.zoom != 1 or any(self.shift)

    def matrix(self, canvas_size: Size, size: Size) -> Matrix:
        """The affine matrix, (2, 3), from a point of the result to the point of the canvas that it shows.

        Args:
            canvas_size: The size of the canvas, which is not smaller than the result.
            size: The size of the result.
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
    """An affine transform of an image, or none.

    Args:
        canvas_size: The size at which the image is read before it is transformed.
        matrix: See `Geometry.matrix`; None leaves the image as it is.
    """

    canvas_size: Size
    matrix: Matrix | None

    def apply(self, read: Callable[[ImageArray], None], out: ImageArray, nearest: bool = False) -> None:
        """Writes the transformed image into `out`; pixels outside the image repeat its nearest edge pixel.

        Args:
            read: Writes the image into an array of any size.
            out: (height, width) or (height, width, channels).
            nearest: Take the nearest pixel instead of interpolating, as class ids need.
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
    """How images are flipped, rotated, shifted, zoomed and cropped at random.

    Args:
        horizontal_flip: The probability of a horizontal flip.
        vertical_flip: The probability of a vertical flip.
        rotation: Rotate about the centre by up to this many degrees in either direction.
        shift: Shift by up to this fraction of the width and of the height.
        zoom: Enlarge or shrink by up to this fraction.
        random_crop: Crop to this fraction of the image's height and width, at a random position.
    """

    horizontal_flip: Probability = 0.0
    vertical_flip: Probability = 0.0
    rotation: Degrees = 0.0
    shift: Fraction = 0.0
    zoom: ProperFraction = 0.0
    random_crop: CropFraction | None = field(default=None, kw_only=True)  # listed after the fields of subclasses

    def canvas_size(self, size: Size) -> Size:
        """The size at which images are read: a crop of `size` then has the resolution of an uncropped image."""
        if self.random_crop is None:
            return size
        return round(size[0] / self.random_crop), round(size[1] / self.random_crop)

    def draw_geometry(self, generator: np.random.Generator) -> Geometry:
        """Draws the transform of one sample.

        The same eight numbers are drawn whichever augmentations are on, so that turning one on does not change the
        others.
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
        """Draws the transform of one image to a result of `size`."""
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
    """How images are transformed at random, and how their brightness and contrast change.

    Args:
        brightness: Add or subtract up to this fraction of white.
        contrast: Raise or lower the contrast by up to this fraction.
    """

    brightness: Fraction = 0.0
    contrast: Fraction = 0.0

    def jitter(self, generator: np.random.Generator, image: ImageArray) -> None:
        """Changes the brightness and the contrast of an image at random, in place."""
        if not self.brightness and not self.contrast:
            return
        lighter, stronger = (2 * generator.random(2) - 1).tolist()
        values = np.arange(_WHITE + 1)
        values = _MIDDLE_GRAY + (values - _MIDDLE_GRAY) * (1 + stronger * self.contrast)
        table = np.clip(np.rint(values + lighter * self.brightness * _WHITE), 0, _WHITE).astype(np.uint8)
        cv2.LUT(image, table, dst=image)


NO_AUGMENTATION = Augmentation()
