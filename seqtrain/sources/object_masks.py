"""Masks painted of objects: by the one painter, and the sources that have objects in place of masks.

Objects come as the part of the image that holds them, so that a small one costs little in a large image. Each is
painted over those before it, and what it hides is counted. Where borders are classes, objects are painted by their
numbers first, and a border is where the numbers nearby differ.

Regions that are decoded of runs and polygons lie in memory column after column; painted that way, they cost a quarter.
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
    """Where one object is.

    Args:
        class_id: What its pixels become, from 1.
        region: Its pixels, in a part of the image.
        top: The row of the image where that part begins.
        left: The column of the image where that part begins.
    """

    class_id: int
    region: Region
    top: int = 0
    left: int = 0


class ObjectMasks(MaskSource):
    """Images whose masks are painted of objects.

    Args:
        paths: Of the images.
        images: The number of the image that each object is in, ascending.
    """

    masks_fit = True  # objects are painted into a mask of the image's size
    _down_columns = True  # see `painted`, as for the type
    _id_type: type[Any] = np.uint8

    def __init__(self, paths: PackedPaths, images: npt.NDArray[np.integer]) -> None:
        super().__init__(paths)
        self._ends = np.searchsorted(images, np.arange(len(paths)), side="right")

    def read_mask(self, index: int) -> Mask:
        """The class id of each pixel, (height, width).

        Raises:
            DataError: when an object cannot be read, is damaged, or does not fit into the image.
        """
        return self._painted(index)[0]

    def overlaps(self, index: int) -> int:
        """How often a pixel of one object is painted over by another one."""
        return self._painted(index)[1]

    def _objects(self, index: int, numbers: range, size: Size) -> Iterable[MaskedObject]:
        """The objects of an image, in the order in which they are painted.

        Args:
            index: Of the image.
            numbers: Of its objects, counted through all images.
            size: Of the image.
        """
        raise NotImplementedError

    def _size(self, index: int) -> Size:
        return read_image_size(self._paths[index])

    def _painted(self, index: int) -> tuple[Mask, int]:
        size = self._size(index)
        numbers = range(int(self._ends[index - 1]) if index else 0, int(self._ends[index]))
        return painted(self._objects(index, numbers, size), size, self._down_columns, self._id_type)


def painted(
    objects: Iterable[MaskedObject], size: Size, down_columns: bool = False, dtype: type[Any] = np.uint8
) -> tuple[npt.NDArray[Any], int]:
    """Paints objects in order; a pixel that several cover belongs to the last.

    Args:
        objects: In order.
        size: Of the image.
        down_columns: Whether the regions lie in memory column after column.
        dtype: Of the mask.

    Returns:
        The mask, row after row, and how often a pixel that had been painted was painted over.
    """
    mask = np.zeros(size, dtype=dtype, order="F" if down_columns else "C")
    num_painted = 0
    for item in objects:
        height, width = item.region.shape
        part = mask[item.top : item.top + height, item.left : item.left + width]
        np.copyto(part, dtype(item.class_id), where=item.region)
        num_painted += int(np.count_nonzero(item.region))
    if down_columns:
        mask = np.asarray(cv2.transpose(mask.T), dtype=dtype)
    return mask, num_painted - int(np.count_nonzero(mask))  # no object has the background's id


def with_borders(numbers: npt.NDArray[np.unsignedinteger[Any]], width: int, only_touching: bool) -> Mask:
    """The ids `INSIDE` in objects, and `BORDER` where they end.

    Args:
        numbers: Of the object that each pixel belongs to, from 1; 0 for the background.
        width: So many pixels from what is not its object, a pixel is of the border.
        only_touching: Whether only other objects count, and not the background.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    highest = cv2.dilate(numbers, square)
    others = np.where(numbers == 0, np.uint16(np.iinfo(np.uint16).max), numbers) if only_touching else numbers
    lowest = cv2.erode(others, square)
    mask: Mask = np.where(lowest != highest, np.uint8(BORDER), np.uint8(INSIDE))
    mask[numbers == 0] = 0
    return mask
