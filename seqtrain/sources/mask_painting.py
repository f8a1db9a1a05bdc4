"""One mask from several objects: each is painted over those before it, and what it hides is counted.

Objects come as the part of the picture that holds them, so that a small one costs little in a large picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from seqtrain.sources.mask_source import Mask
from seqtrain.sources.run_length import Region, Size


@dataclass(frozen=True)
class MaskedObject:
    """Where one object is.

    Args:
        class_id: What its pixels become, from 1.
        region: Its pixels, in a part of the picture.
        top: The row of the picture where that part begins.
        left: The column of the picture where that part begins.
    """

    class_id: int
    region: Region
    top: int = 0
    left: int = 0


def painted(objects: Iterable[MaskedObject], size: Size, down_columns: bool = False) -> tuple[Mask, int]:
    """Paints objects in order; a pixel that several cover belongs to the last.

    Args:
        objects: In order.
        size: Of the picture.
        down_columns: Whether the regions lie in memory column after column, as runs are decoded. Painted that way, they
            cost a quarter.

    Returns:
        The mask, row after row, and how often a pixel that had been painted was painted over.
    """
    mask = np.zeros(size, dtype=np.uint8, order="F" if down_columns else "C")
    num_painted = 0
    for item in objects:
        height, width = item.region.shape
        part = mask[item.top : item.top + height, item.left : item.left + width]
        np.copyto(part, np.uint8(item.class_id), where=item.region)
        num_painted += int(np.count_nonzero(item.region))
    if down_columns:
        mask = np.asarray(cv2.transpose(mask.T), dtype=np.uint8)
    return mask, num_painted - int(np.count_nonzero(mask))  # no object has the background's id
