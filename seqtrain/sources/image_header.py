"""Height and width of an image file from its header: the size for masks that are decoded from codes or outlines.

The size is that of the image as it is read for a batch, with cameras' EXIF orientation obeyed.
"""

from __future__ import annotations

from contextlib import suppress

from PIL import Image, UnidentifiedImageError

from seqtrain.errors import DataError

_ORIENTATION_TAG, _TRANSPOSED = 0x0112, frozenset({5, 6, 7, 8})


def read_image_size(path: str) -> tuple[int, int]:
    """Height and width in pixels; costs a fraction of a millisecond.

    Raises:
        DataError: when the file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            height, width = image.height, image.width
            turned = image.format != "TIFF" and _orientation(image) in _TRANSPOSED  # Pillow itself turns a TIFF
    except FileNotFoundError as error:
        raise DataError("no such image file", where=path, fix="put it back, or list the data set anew") from error
    except UnidentifiedImageError as error:
        raise DataError(
            "the file is not an image that can be read", where=path, fix="replace it by the image, or remove it"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"the image file cannot be read: {error}", where=path, fix="fetch it again") from error
    return (width, height) if turned else (height, width)


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # damaged EXIF raises whatever a parser stumbles on, and counts as none
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    return 1
