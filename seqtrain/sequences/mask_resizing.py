"""Masks of any size into rows of one size, just as `resizing.fit` does it with their pictures.

Ids are numbers of classes: the mean of disc and sky is not what lies between. So each new pixel takes the id at its
centre, and what a picture is padded with is an id of its own choice. Otherwise the geometry is that of `fit`, to the
pixel: the same middle is cut out, or padded by as much.

A JPEG may be shrunk while it is decoded, a mask is not. Where its size is no multiple of the factor, the shrunk picture
has pixels that reach beyond its edge, and what is at the other edge lies up to a pixel away from the mask; so pictures
with masks are shrunk by such factors alone as leave nothing over.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from seqtrain.sequences.resizing import Size, scaled_size
from seqtrain.types import Resize

Mask = npt.NDArray[np.uint8]
RowRange = tuple[int, int, int, int]  # top, left, height, width

_FACTORS = (8, 4, 2)  # that are cheap to shrink a JPEG by


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
        row = _part(row, _middle(_size(row), scaled_size(_size(mask), _size(row), "pad")))
    elif resize == "crop":
        mask = _part(mask, _kept(_size(mask), _size(row)))
    cv2.resize(mask, _size(row)[::-1], dst=row, interpolation=cv2.INTER_NEAREST_EXACT)


def shrunk_size(size: Size, row_size: Size, resize: Resize) -> Size:
    """The smallest size that a picture may be decoded at and still lie on its mask, once both are resized.

    Args:
        size: Of the picture as it is stored.
        row_size: That picture and mask are resized to.
        resize: What to do where the proportions differ; see `resizing`.
    """
    wanted = scaled_size(size, row_size, resize)
    lengths = (*size, *_kept(size, row_size)) if resize == "crop" else size
    for factor in _FACTORS:
        shrunk = size[0] // factor, size[1] // factor
        if shrunk[0] >= wanted[0] and shrunk[1] >= wanted[1] and not any(length % factor for length in lengths):
            return shrunk
    return size


def _kept(size: Size, row_size: Size) -> RowRange:
    """The middle of a mask that has the row's proportions."""
    scale = max(row_size[0] / size[0], row_size[1] / size[1])
    return _middle(size, (max(1, round(row_size[0] / scale)), max(1, round(row_size[1] / scale))))


def _middle(size: Size, part: Size) -> RowRange:
    return (size[0] - part[0]) // 2, (size[1] - part[1]) // 2, *part


def _part(mask: Mask, part: RowRange) -> Mask:
    top, left, height, width = part
    return mask[top : top + height, left : left + width]


def _size(mask: Mask) -> Size:
    return mask.shape[0], mask.shape[1]
