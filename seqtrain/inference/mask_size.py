"""Resizes predicted masks to the original size of their images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.sequences.resizing import scaled_size

Mask = npt.NDArray[np.uint8]


def in_image_size(mask: Mask, size: tuple[int, int], resize: str) -> Mask:
    """Resizes a mask to the size of the original image; cropped areas become background.

    Args:
        mask: (height, width), the model's output.
        size: (height, width) of the image.
        resize: How the image was resized: "stretch", "crop" or "pad"; see `ImageFormat`.
    """
    if resize == "crop":
        scale = max(mask.shape[0] / size[0], mask.shape[1] / size[1])
        seen = min(size[0], max(1, round(mask.shape[0] / scale))), min(size[1], max(1, round(mask.shape[1] / scale)))
        whole = np.zeros(size, dtype=np.uint8)
        _middle(whole, seen)[...] = _scaled(mask, seen)
        return whole
    shown = mask if resize == "stretch" else _middle(mask, scaled_size(size, (mask.shape[0], mask.shape[1]), "pad"))
    return _scaled(shown, size)


def _scaled(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def _middle(mask: Mask, size: tuple[int, int]) -> Mask:
    top, left = (mask.shape[0] - size[0]) // 2, (mask.shape[1] - size[1]) // 2
    return mask[top : top + size[0], left : left + size[1]]
