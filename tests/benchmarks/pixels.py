"""Whether a batch holds the right pictures: against Pillow, which decodes in full and resizes with a wide filter.

Decoders that scale and filters that skip differ a little in every pixel, by about 2 of 255 on photographs; a picture
in the wrong place, with red and blue exchanged or with values from 0 to 1 differs by 30 and more.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.benchmarks.data import Images

TOLERANCE = 6.0
_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32))


def reference(path: str, image_size: tuple[int, int]) -> np.ndarray:
    """A picture as Pillow sees it."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize(image_size[::-1], Image.Resampling.BILINEAR))


def wrong_pixels(images: Images, batch: np.ndarray) -> str | None:
    """What is wrong with a first batch, or None."""
    wanted = np.stack([reference(path, images.image_size) for path in images.paths[: images.batch_size]])
    if batch.shape != wanted.shape:
        return f"shape {batch.shape}, not {wanted.shape}"
    if batch.dtype not in _DTYPES:
        return f"{batch.dtype}, neither uint8 nor float32"
    difference = float(np.abs(batch.astype(np.float32) - wanted).mean())
    return None if difference < TOLERANCE else f"pixels differ by {difference:.1f} of 255"
