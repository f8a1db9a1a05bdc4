"""One mask from several objects: each is painted over those before it, and what it hides is counted.

Objects come as the part of the picture that holds them, so that a small one costs little in a large picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


def painted(objects: Iterable[MaskedObject], size: Size) -> tuple[Mask, int]:
    """Paints objects in order; a pixel that several cover belongs to the last.

    Returns:
        The mask, and how often a pixel that had been painted was painted over.
    """
    mask = np.zeros(size, dtype=np.uint8)
    overlaps = 0
    for item in objects:
        height, width = item.region.shape
        part = mask[item.top : item.top + height, item.left : item.left + width]
        overlaps += int(np.count_nonzero(np.logical_and(part, item.region)))
        np.copyto(part, np.uint8(item.class_id), where=item.region)
    return mask, overlaps
