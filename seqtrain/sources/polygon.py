"""The pixels inside a polygon: those whose centre is.

Points are given as annotation tools give them: (0, 0) is the corner of the picture, so that the first pixel reaches
from 0 to 1 and its centre is at 0.5. Drawing functions (OpenCV's `fillPoly`, Pillow's `polygon`) take whole pixels and
paint the outline as well: every object comes out half a pixel too large on each side, which for a cell of ten pixels
is a fifth of its area. Here an edge marks, in each column of pixels that it passes, the first pixel below it; going
down a column, each mark is a change from outside to inside or back.

Cost: one pass over the pixels of the polygon's bounding box, and one number for each column that an edge passes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqtrain.sources.run_length import Region, Size

Points = npt.NDArray[np.float64]


def filled(points: Points, size: Size) -> tuple[Region, int, int]:
    """The pixels of a picture whose centre a polygon holds, by the even-odd rule where it crosses itself.

    Args:
        points: (number, 2), each x and y; the last is joined to the first. Parts outside of the picture are cut off.
        size: Of the picture.

    Returns:
        The pixels of the part of the picture that holds the polygon; the row and the column where that part begins.
    """
    left, top = _first_centre(points.min(axis=0), size)
    right, bottom = _first_centre(points.max(axis=0), size)
    marks = np.zeros((bottom - top + 1, right - left), dtype=np.uint8)
    columns, rows = _marks(points, left, right)
    marks_at = (np.clip(rows, top, bottom) - top, columns - left)
    np.bitwise_xor.at(marks, marks_at, 1)
    return np.bitwise_xor.accumulate(marks, axis=0)[:-1].astype(np.bool_), top, left


def _first_centre(point: Points, size: Size) -> tuple[int, int]:
    """The first column and row whose centres are not left of or above a point, within the picture."""
    column, row = np.clip(np.ceil(point - 0.5), 0, size[::-1]).astype(int).tolist()
    return column, row


def _marks(points: Points, left: int, right: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Column and row of the first pixel below each edge, for each column whose centre the edge passes."""
    ends = np.roll(points, -1, axis=0)
    swapped = (points[:, 0] > ends[:, 0])[:, None]
    starts, ends = np.where(swapped, ends, points), np.where(swapped, points, ends)
    first = np.clip(np.ceil(starts[:, 0] - 0.5), left, right).astype(np.int64)
    lengths = np.clip(np.ceil(ends[:, 0] - 0.5), left, right).astype(np.int64) - first
    edge = np.repeat(np.arange(len(points)), lengths)
    columns = np.arange(len(edge)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[edge]
    across, down = (ends - starts).T
    slope = np.divide(down, across, where=lengths > 0, out=np.zeros(len(points)))
    y = starts[edge, 1] + (columns + 0.5 - starts[edge, 0]) * slope[edge]
    return columns, np.ceil(y - 0.5).astype(np.int64)
