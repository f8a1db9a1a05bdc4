"""Fills polygons: a pixel is inside if its centre is. No library's drawing function does that.

Points are as in annotation tools: (0, 0) is the corner of the image, so that the first pixel reaches from 0 to 1 and
its centre is at 0.5. Drawing functions (OpenCV's `fillPoly`, Pillow's `polygon`) round to whole pixels and also paint
the outline: every object becomes half a pixel too large on each side, which for a cell of ten pixels is a fifth of its
area.

Each edge marks, in each column of pixels that it crosses, the first pixel below it. Down a column, each mark is a
change from outside to inside or back. A closed line crosses a column an even number of times, so every column ends
outside, and the marks of many polygons, column after column, are one sequence of runs.

This takes one pass over the pixels of the polygons' bounding boxes, one number for each column that an edge crosses,
and some twenty calls of NumPy for any number of polygons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqtrain.sources.run_length import Region, Size

Points = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def fill_polygons(polygons: Sequence[Points], size: Size) -> list[tuple[Region, int, int]]:
    """The pixels of an image whose centre is inside each polygon, by the even-odd rule if it crosses itself.

    Args:
        polygons: Arrays (number, 2) of x and y; the last point is joined to the first. Parts outside of the image are
            cut off.
        size: The size of the image.

    Returns:
        For each polygon, the pixels of the part of the image that contains it, in column-major order; and the first row
        and the first column of that part.
    """
    if not polygons:
        return []
    numbers = np.array([len(polygon) for polygon in polygons])
    points = np.concatenate(polygons)
    firsts = np.cumsum(numbers) - numbers
    lowest = _first_centres(np.minimum.reduceat(points, firsts), size)
    lengths = _first_centres(np.maximum.reduceat(points, firsts), size) - lowest
    ends = np.cumsum(lengths[:, 0] * lengths[:, 1])
    marks = _marks(points, _Boxes(np.repeat(np.arange(len(polygons)), numbers), firsts, lowest, lengths, ends))
    marks.sort()
    inside = np.arange(len(marks) + 1) % 2 == 1
    pixels = np.repeat(inside, np.diff(marks, prepend=0, append=ends[-1]))
    regions = []
    for (left, top), (width, height), end in zip(lowest.tolist(), lengths.tolist(), ends.tolist(), strict=True):
        regions.append((pixels[end - width * height : end].reshape(width, height).T, top, left))
    return regions


class _Boxes(NamedTuple):
    """The bounding boxes of polygons, whose pixels are in one array, box after box.

    Args:
        polygon: The polygon of each point.
        firsts: The first point of each polygon.
        lowest: The left and top edge of each polygon, (number, 2).
        lengths: The width and height of each polygon, (number, 2).
        ends: The end of each polygon's pixels in the array.
    """

    polygon: Integers
    firsts: Integers
    lowest: Integers
    lengths: Integers
    ends: Integers


def _first_centres(points: Points, size: Size) -> Integers:
    """The first columns and rows, within the image, whose centres are not left of or above points."""
    return np.minimum(np.maximum(np.ceil(points - 0.5), 0), size[::-1]).astype(np.int64)


def _marks(points: Points, boxes: _Boxes) -> Integers:
    """The first pixel below each edge in each column whose centre it crosses, as positions in the array of pixels."""
    following = np.empty_like(points)
    following[:-1] = points[1:]
    following[boxes.firsts[1:] - 1] = points[boxes.firsts[:-1]]
    following[-1] = points[boxes.firsts[-1]]
    swapped = (points[:, 0] > following[:, 0])[:, None]
    starts, ends = np.where(swapped, following, points), np.where(swapped, points, following)
    left = boxes.lowest[boxes.polygon, 0]
    right = left + boxes.lengths[boxes.polygon, 0]
    first = np.minimum(np.maximum(np.ceil(starts[:, 0] - 0.5), left), right).astype(np.int64)
    num_columns = np.minimum(np.maximum(np.ceil(ends[:, 0] - 0.5), left), right).astype(np.int64) - first
    edge = np.repeat(np.arange(len(points)), num_columns)
    columns = np.arange(len(edge)) + np.repeat(first - (np.cumsum(num_columns) - num_columns), num_columns)
    across, down = (ends - starts).T
    slope = np.divide(down, across, where=num_columns > 0, out=np.zeros(len(points)))
    y = starts[edge, 1] + (columns + 0.5 - starts[edge, 0]) * slope[edge]
    polygon = boxes.polygon[edge]
    height = boxes.lengths[polygon, 1]
    rows = np.minimum(np.maximum(np.ceil(y - 0.5) - boxes.lowest[polygon, 1], 0), height).astype(np.int64)
    begin = boxes.ends[polygon] - boxes.lengths[polygon, 0] * height
    marks: Integers = begin + (columns - boxes.lowest[polygon, 0]) * height + rows
    return marks
