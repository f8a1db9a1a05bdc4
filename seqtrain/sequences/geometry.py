"""Random flips, rotation, zoom, shift and crop as one affine map, so that pixels are interpolated once.

Three steps that later kinds of samples share: `draw` the numbers, `matrix` from them, `warp` with it. A mask goes
through the same numbers with `nearest=True`, and stays on its image.

A point is (x, y) at the centre of a pixel, so the middle of a picture is ((width - 1) / 2, (height - 1) / 2), and a
turn by 90 degrees or a flip moves every pixel onto another exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Size = tuple[int, int]  # height, width

_NUMBERS = 8  # drawn for a sample


@dataclass(frozen=True)
class GeometryRange:
    """What may be drawn.

    Args:
        horizontal_flip: Probability of left for right.
        vertical_flip: Probability of top for bottom.
        rotation: Degrees to either side.
        shift: Fraction of the height and of the width, to either side.
        zoom: Fraction by which the size may grow or shrink.
    """

    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0


@dataclass(frozen=True)
class Geometry:
    """What was drawn.

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


def draw(possible: GeometryRange, generator: np.random.Generator) -> Geometry:
    """Draws what happens to one sample.

    The same eight numbers are drawn whatever is possible: turning one augmentation on leaves the others as they were.
    """
    across, down, turn, size, right, below, window_x, window_y = generator.random(_NUMBERS).tolist()
    return Geometry(
        flips=(across < possible.horizontal_flip, down < possible.vertical_flip),
        rotation_degrees=(2 * turn - 1) * possible.rotation,
        zoom=1 + (2 * size - 1) * possible.zoom,
        shift=((2 * right - 1) * possible.shift, (2 * below - 1) * possible.shift),
        window=(window_x, window_y),
    )


def pass_over(generator: np.random.Generator) -> None:
    """Leaves a generator as `draw` does, where nothing is possible."""
    generator.random(_NUMBERS)


def matrix(geometry: Geometry, canvas_size: Size, size: Size) -> Matrix:
    """The map from a point of the result to the point of the canvas that it shows, as (2, 3).

    Args:
        geometry: What was drawn.
        canvas_size: Of the picture that is looked at; the result's size or larger.
        size: Of the result.
    """
    extent, canvas = np.array(size[::-1]), np.array(canvas_size[::-1])
    angle = np.deg2rad(geometry.rotation_degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    mirror = np.where(geometry.flips, -1.0, 1.0)
    linear = mirror[:, None] * np.array([[cosine, -sine], [sine, cosine]]) / geometry.zoom
    middle = (extent - 1) / 2
    corner = np.floor((canvas - extent + 1) * np.array(geometry.window))
    offset = corner + middle - linear @ (middle + np.array(geometry.shift) * extent)
    return np.column_stack([linear, offset])


def warp(canvas: npt.NDArray[np.uint8], matrix: Matrix, out: npt.NDArray[np.uint8], nearest: bool = False) -> None:
    """Writes into `out` what the matrix shows of the canvas; beyond its edges, the nearest pixel of the edge.

    Args:
        canvas: (height, width) or (height, width, channels).
        matrix: See `matrix`.
        out: Of another size, with as many axes as the canvas.
        nearest: Take the nearest pixel instead of interpolating: for class ids.
    """
    cv2.warpAffine(
        canvas,
        matrix,
        (out.shape[1], out.shape[0]),
        dst=out,
        flags=(cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
