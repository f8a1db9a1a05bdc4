"""The pixels of annotations of a COCO file: from polygons, counts of pixels, or counts as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from seqtrain.sources.object_masks import MaskedObject
from seqtrain.sources.polygon import Points, filled
from seqtrain.sources.run_length import Region, RunLengthError, Size, region_of_counts, uncompressed

Outline = Region | list[Points]

_FEWEST_NUMBERS = 6  # of a polygon: three points


class OutlineError(ValueError):
    """An annotation that outlines nothing; the caller knows the file and the annotation.

    Args:
        message: What is wrong.
        expected: What would have been right.
    """

    def __init__(self, message: str, expected: str) -> None:
        super().__init__(message)
        self.expected = expected


def outline(segmentation: Any, size: Size) -> Outline:
    """What an annotation's `segmentation` outlines: a region where it holds runs, or the points of polygons.

    Args:
        segmentation: A list of polygons, each a list of x and y in turn; or an object of `size` and `counts`.
        size: Of the image.

    Raises:
        OutlineError: when it is none of these, is damaged, is for another size, or lies outside of the image.
    """
    if isinstance(segmentation, dict):
        return _region(segmentation, size)
    if not isinstance(segmentation, list) or not segmentation:
        raise OutlineError("there is no outline", "a list of polygons, or an object of size and counts")
    return [_points(number, polygon, size) for number, polygon in enumerate(segmentation, start=1)]


def outlined(outlines: Sequence[Outline], class_ids: Sequence[int], size: Size) -> list[MaskedObject]:
    """The objects of one image, each of all its parts together; the polygons of all are filled at once.

    Args:
        outlines: Of the objects.
        class_ids: Of the objects.
        size: Of the image.
    """
    polygons = [points for parts in outlines if isinstance(parts, list) for points in parts]
    regions = iter(filled(polygons, size))
    objects = []
    for parts, class_id in zip(outlines, class_ids, strict=True):
        where = _joined(list(islice(regions, len(parts)))) if isinstance(parts, list) else (parts, 0, 0)
        objects.append(MaskedObject(class_id, *where))
    return objects


def _joined(parts: list[tuple[Region, int, int]]) -> tuple[Region, int, int]:
    if len(parts) == 1:
        return parts[0]
    top, left = min(top for _, top, _ in parts), min(left for _, _, left in parts)
    bottom = max(top + region.shape[0] for region, top, _ in parts)
    right = max(left + region.shape[1] for region, _, left in parts)
    whole = np.zeros((bottom - top, right - left), dtype=np.bool_, order="F")
    for region, row, column in parts:
        whole[row - top : row - top + region.shape[0], column - left : column - left + region.shape[1]] |= region
    return whole, top, left


def _region(segmentation: dict[str, Any], size: Size) -> Region:
    if segmentation.get("size") != list(size):
        received = segmentation.get("size")
        raise OutlineError(f"its runs are for the size {received}", f"{list(size)}, height and width of the image")
    counts = segmentation.get("counts")
    if not isinstance(counts, (list, str)):
        raise OutlineError("its runs have no counts", "counts, as a list of numbers or as text")
    try:
        return region_of_counts(uncompressed(counts) if isinstance(counts, str) else counts, size)
    except RunLengthError as error:
        raise OutlineError(str(error), error.expected) from error


def _points(number: int, polygon: Any, size: Size) -> Points:
    try:
        numbers = np.array(polygon, dtype=np.float64)
    except (TypeError, ValueError):
        raise OutlineError(f"polygon {number} is no list of numbers", "x and y of each point in turn") from None
    if numbers.ndim != 1 or len(numbers) % 2 or len(numbers) < _FEWEST_NUMBERS:
        raise OutlineError(
            f"polygon {number} has {numbers.size} numbers", "x and y in turn, of three points or more, as one list"
        )
    points = numbers.reshape(-1, 2)
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if not all(map(math.isfinite, (*low, *high))):
        raise OutlineError(f"polygon {number} has a point that is no finite number", "finite numbers")
    if min(high) <= 0 or low[0] >= size[1] or low[1] >= size[0]:
        raise OutlineError(
            f"polygon {number} lies outside of the image: from {tuple(low)} to {tuple(high)}",
            f"x from 0 to {size[1]} and y from 0 to {size[0]}",
        )
    return points
