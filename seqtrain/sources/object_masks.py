"""Paints masks from objects, for the sources that list objects instead of masks.

An object is given as a small part of the image, so that painting takes time in proportion to its size. Each object is
painted over those before it, and the pixels that it hides are counted. If borders are classes, the objects are painted
with their numbers first, and a pixel is on a border if the numbers around it differ.

Regions that are decoded from runs and polygons are in column-major order; painting into a mask in the same order takes
a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from seqtrain.sources.image_header import read_image_size
from seqtrain.sources.mask_source import Mask, MaskSource
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.run_length import Region, Size

INSIDE, BORDER = 1, 2
"""The ids of masks with borders; 0 is the background."""


@dataclass(frozen=True)
class MaskedObject:
    """The class and the pixels of one object.

    Args:
        class_id: The id of its pixels in the mask, from 1.
        region: Its pixels, in a part of the image.
        top: The first row of that part.
        left: The first column of that part.
    """

    class_id: int
    region: Region
    top: int = 0
    left: int = 0


class ObjectMasks(MaskSource):
    """Images with masks that are painted from outlines or run-length codes of objects.

    Args:
        paths: The paths of the images.
        images: The index of each object's image, in ascending order.
    """

    masks_fit = True  # objects are painted into a mask of the image's size
    _column_major = True  # see `paint`
    _dtype: type[Any] = np.uint8

    def __init__(self, paths: PackedPaths, images: npt.NDArray[np.integer]) -> None:
        super().__init__(paths)
        self._ends = np.searchsorted(images, np.arange(len(paths)), side="right")

    def read_mask(self, index: int) -> Mask:
        """The class id of each pixel, (height, width).

        Raises:
            DataError: when an object cannot be read, is damaged, or does not fit into the image.
        """
        return self._paint(index)[0]

    def overlaps(self, index: int) -> int:
        """How often a pixel of an object is painted over by another object."""
        return self._paint(index)[1]

    def _objects(self, index: int, numbers: range, size: Size) -> Iterable[MaskedObject]:
        """The objects of an image, in the order in which they are painted.

        Args:
            index: The index of the image.
            numbers: The indices of its objects among those of all images.
            size: The size of the image.
        """
        raise NotImplementedError

    def _size(self, index: int) -> Size:
        return read_image_size(self._paths[index])

    def _paint(self, index: int) -> tuple[Mask, int]:
        size = self._size(index)
        numbers = range(int(self._ends[index - 1]) if index else 0, int(self._ends[index]))
        return paint(self._objects(index, numbers, size), size, self._column_major, self._dtype)


def paint(
    objects: Iterable[MaskedObject], size: Size, column_major: bool = False, dtype: type[Any] = np.uint8
) -> tuple[npt.NDArray[Any], int]:
    """Paints objects in order; a pixel that several objects cover belongs to the last one.

    Args:
        objects: The objects.
        size: The size of the image.
        column_major: Whether the regions are in column-major order.
        dtype: The dtype of the mask.

    Returns:
        The mask, in row-major order, and how often a painted pixel was painted over.
    """
    mask = np.zeros(size, dtype=dtype, order="F" if column_major else "C")
    num_painted = 0
    for item in objects:
        height, width = item.region.shape
        part = mask[item.top : item.top + height, item.left : item.left + width]
        np.copyto(part, dtype(item.class_id), where=item.region)
        num_painted += int(np.count_nonzero(item.region))
    if column_major:
        mask = np.asarray(cv2.transpose(mask.T), dtype=dtype)
    return mask, num_painted - int(np.count_nonzero(mask))  # no object has the background's id


def with_borders(numbers: npt.NDArray[np.unsignedinteger[Any]], width: int, only_touching: bool) -> Mask:
    """A mask with the ids `INSIDE` and `BORDER` in objects.

    Args:
        numbers: The number of each pixel's object, from 1; 0 for the background.
        width: A pixel is on the border if a pixel that is not of its object is within this distance.
        only_touching: Whether only pixels of other objects make a border, and not the background.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    highest = cv2.dilate(numbers, square)
    others = np.where(numbers == 0, np.uint16(np.iinfo(np.uint16).max), numbers) if only_touching else numbers
    lowest = cv2.erode(others, square)
    mask: Mask = np.where(lowest != highest, np.uint8(BORDER), np.uint8(INSIDE))
    mask[numbers == 0] = 0
    return mask
