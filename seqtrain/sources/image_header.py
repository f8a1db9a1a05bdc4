"""Reads the size of an image from its header, such as the size of masks that are decoded from codes or outlines.

It is the size of the image as it is decoded for a batch, after the EXIF orientation is applied.
"""

from __future__ import annotations

from contextlib import suppress

from PIL import Image, UnidentifiedImageError

from seqtrain.errors import DataError

_ORIENTATION_TAG, _TRANSPOSED = 0x0112, frozenset({5, 6, 7, 8})


def read_image_size(path: str) -> tuple[int, int]:
    """Height and width in pixels, in a fraction of a millisecond.

    Raises:
        DataError: when the file is missing or not an image.
    """
    try:
        with Image.open(path) as image:
            height, width = image.height, image.width
            # Pillow itself applies the orientation of a TIFF.
            is_transposed = image.format != "TIFF" and _orientation(image) in _TRANSPOSED
    except FileNotFoundError as error:
        raise DataError("no such image file", where=path, fix="put it back, or list the data set anew") from error
    except UnidentifiedImageError as error:
        raise DataError(
            "the file is not an image that can be read", where=path, fix="replace it by the image, or remove it"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"the image file cannot be read: {error}", where=path, fix="fetch it again") from error
    return (width, height) if is_transposed else (height, width)


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # a parser may raise anything for damaged EXIF, which counts as none
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    return 1
