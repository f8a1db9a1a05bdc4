"""Reads class ids from an image file: the stored numbers, not the colours that a viewer shows.

Pillow's conversions would change ids: palettes become colours, 16 bits saturate, and gray with 2 or 4 bits is scaled to
0 to 255. Here the ids are the numbers in the file:

    1 bit             0 and 1
    2, 4 and 8 bits   the stored number
    16 bits           the stored number
    palette           the index, not the colour
    gray saved as     one of the three equal channels
      RGB or RGBA
    colours, floats   an error: nothing says which class they mean
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.errors import DataError, unreadable

Ids = npt.NDArray[np.integer[Any]]

_SPREAD = {"L;2": 85, "L;4": 17}  # Pillow multiplies gray with few bits by this
_COLOR_CHANNELS = {"LA": 1, "PA": 1, "RGB": 3, "RGBA": 3, "RGBX": 3}  # further channels are opacity


def read_ids(path: str) -> Ids:
    """The ids in an image file, (height, width).

    Raises:
        DataError: when the file cannot be read, or its pixels are not ids.
    """
    try:
        with Image.open(path) as image:
            spread = _SPREAD.get(_stored_mode(image), 1)
            image.load()
            mode, pixels = image.mode, np.asarray(image)
    except MemoryError:
        raise
    except FileNotFoundError as error:
        raise unreadable(path, error, "mask file", fix="put it back, or list the data set anew") from error
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise DataError(
            f"the mask cannot be read: {error}", where=path, expected="a whole image file", fix="save or fetch it again"
        ) from error
    if mode in _COLOR_CHANNELS:
        return _gray(pixels, _COLOR_CHANNELS[mode], path)
    if mode not in ("1", "L", "P") and not mode.startswith("I"):
        raise _no_ids_error(f"pixels of Pillow's mode {mode}", path)
    return pixels.astype(np.uint8) if mode == "1" else pixels // spread if spread > 1 else pixels


def _stored_mode(image: Image.Image) -> Any:
    """The format of the stored pixels, as Pillow's decoders name it; it is known until the pixels are loaded."""
    tiles = getattr(image, "tile", None)
    return tiles[0].args if image.format == "PNG" and tiles else None


def _gray(pixels: npt.NDArray[np.uint8], num_colors: int, path: str) -> Ids:
    ids = pixels[..., 0]
    if any(not np.array_equal(pixels[..., channel], ids) for channel in range(1, num_colors)):
        raise _no_ids_error("pixels of several colours", path)
    if pixels.shape[-1] > num_colors and np.ptp(pixels[..., -1]):
        raise _no_ids_error("pixels that are partly transparent", path)
    return np.ascontiguousarray(ids)


def _no_ids_error(received: str, path: str) -> DataError:
    return DataError(
        "the mask does not say which class its pixels are",
        where=path,
        expected="one number for each pixel: PNG with 1, 8 or 16 bits, or with a palette",
        received=received,
        fix="save the ids of the classes as a gray PNG",
    )
