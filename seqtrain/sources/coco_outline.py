"""The pixels of one annotation of a COCO file: from polygons, counts of pixels, or counts as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtrain.sources.mask_painting import MaskedObject
from seqtrain.sources.polygon import Points, filled
from seqtrain.sources.run_length import Region, RunLengthError, Size, region_of_counts, uncompressed

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


def outlined(segmentation: Any, size: Size, class_id: int) -> MaskedObject:
    """The object that an annotation's `segmentation` outlines: all parts of it together.

    Args:
        segmentation: A list of polygons, each a list of x and y in turn; or an object of `size` and `counts`.
        size: Of the image.
        class_id: Of the object.

    Raises:
        OutlineError: when it is none of these, is damaged, is for another size, or lies outside of the image.
    """
    if isinstance(segmentation, dict):
        return MaskedObject(class_id, _region(segmentation, size))
    if not isinstance(segmentation, list) or not segmentation:
        raise OutlineError("there is no outline", "a list of polygons, or an object of size and counts")
    parts = [filled(_points(number, polygon, size), size) for number, polygon in enumerate(segmentation, start=1)]
    if len(parts) == 1:
        return MaskedObject(class_id, *parts[0])
    top, left = min(top for _, top, _ in parts), min(left for _, _, left in parts)
    bottom = max(top + region.shape[0] for region, top, _ in parts)
    right = max(left + region.shape[1] for region, _, left in parts)
    whole = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for region, row, column in parts:
        whole[row - top : row - top + region.shape[0], column - left : column - left + region.shape[1]] |= region
    return MaskedObject(class_id, whole, top, left)


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
    low, high = points.min(axis=0), points.max(axis=0)
    if not np.isfinite(numbers).all():
        raise OutlineError(f"polygon {number} has a point that is no finite number", "finite numbers")
    if (high <= 0).any() or (low >= size[::-1]).any():
        raise OutlineError(
            f"polygon {number} lies outside of the image: from {tuple(low.tolist())} to {tuple(high.tolist())}",
            f"x from 0 to {size[1]} and y from 0 to {size[0]}",
        )
    return points
