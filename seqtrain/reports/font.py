"""The font of what Pillow draws: that of Matplotlib's plots, which has letters for most of the world's alphabets."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@functools.cache
def font(size: int) -> Font:
    """DejaVu Sans, as Matplotlib ships it; without it Pillow's own, which has ASCII alone.

    Args:
        size: In pixels.
    """
    matplotlib = importlib.util.find_spec("matplotlib")  # to import it takes longer than to draw
    if matplotlib is not None and matplotlib.origin is not None:
        path = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)
