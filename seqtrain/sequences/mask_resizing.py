"""Masks of any size into rows of one size, just as `resizing.fit` does it with their pictures.

Ids are numbers of classes: the mean of disc and sky is not what lies between. So each new pixel takes the id at its
centre, and what a picture is padded with is an id of its own choice. Otherwise the geometry is that of `fit`, to the
pixel: the same middle is cut out, or padded by as much.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from seqtrain.sequences.resizing import scaled_size
from seqtrain.types import Resize

Mask = npt.NDArray[np.uint8]


def fit_mask(mask: Mask, row: Mask, resize: Resize, padding_id: int = 0) -> None:
    """Writes a mask into a row of another size.

    Args:
        mask: (height, width), class ids.
        row: (height, width).
        resize: What to do where the proportions differ; see `resizing`.
        padding_id: What lies beyond a padded mask.
    """
    if resize == "pad":
        row[...] = padding_id
        row = _middle(row, scaled_size(_size(mask), _size(row), "pad"))
    elif resize == "crop":
        scale = max(row.shape[0] / mask.shape[0], row.shape[1] / mask.shape[1])
        mask = _middle(mask, (max(1, round(row.shape[0] / scale)), max(1, round(row.shape[1] / scale))))
    cv2.resize(mask, _size(row)[::-1], dst=row, interpolation=cv2.INTER_NEAREST_EXACT)


def _size(mask: Mask) -> tuple[int, int]:
    return mask.shape[0], mask.shape[1]


def _middle(mask: Mask, size: tuple[int, int]) -> Mask:
    top, left = (mask.shape[0] - size[0]) // 2, (mask.shape[1] - size[1]) // 2
    return mask[top : top + size[0], left : left + size[1]]
