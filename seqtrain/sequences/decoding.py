"""Decodes any image file that Pillow can read to 8-bit gray or RGB.

JPEG is decoded by simplejpeg, which releases the GIL and can scale while it decodes. Everything else, and a JPEG that
simplejpeg rejects (CMYK, damage), is decoded by Pillow, which decides what is damaged. These are converted:

    16 bits          65535 becomes 255, 257 becomes 1 (not the high byte, and not saturated)
    1 bit            0 and 255
    palette          its colours
    transparency     composed with white: dark drawings on a transparent background are more common than bright ones
    CMYK, YCbCr...   Pillow's conversion, without colour profiles
    animation        the first frame
    orientation      rotated and flipped as EXIF says
    floats           an error: nothing in the file says which value is white

No global setting is changed: Pillow's limit of pixels holds, and truncated files are errors.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from seqtrain.errors import DataError
from seqtrain.sequences.orientation import TRANSPOSED, UPRIGHT, exif_orientation, jpeg_orientation, upright
from seqtrain.structure import ImageArray, Indices, Size
from seqtrain.types import Color

_JPEG_START = b"\xff\xd8\xff"
_SIMPLE_COLORSPACES = frozenset({"YCbCr", "RGB", "Gray"})
_CHEAP_FACTOR = 2  # only 1/2, 1/4 and 1/8 use SIMD; a scale of 5/8 takes longer than full size
_PILLOW_MODES = {"gray": "L", "rgb": "RGB"}
_LARGEST_16_BIT = 65535

_observer: ContextVar[Callable[[str, bytes], object] | None] = ContextVar("observer", default=None)


@contextmanager
def observing_files(observer: Callable[[str, bytes], object]) -> Iterator[None]:
    """A context in which `observer(path, content)` is called for each file that this thread reads, before decoding."""
    before = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(before)


def read_image(path: str, color: Color, smallest_size: Callable[[Size], Size] | None = None) -> ImageArray:
    """Reads an image file.

    Args:
        path: The path of the file.
        color: "gray" gives (height, width), "rgb" (height, width, 3).
        smallest_size: A function from the image's size to the smallest size that is needed. A JPEG may be decoded at a
            smaller size than stored, but not below that. Default: the full size.

    Raises:
        DataError: when the file cannot be read or is not a complete image.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path costs as much as reading the file
            content = file.read()
    except FileNotFoundError as error:
        raise DataError("no such image file", where=path, fix="put it back, or list the data set anew") from error
    except OSError as error:
        raise DataError(
            f"the image file cannot be read: {error.strerror}", where=path, fix="check its permissions and the disk"
        ) from error
    if (observer := _observer.get()) is not None:
        observer(path, content)
    if not content:
        raise DataError("the image file is empty", where=path, fix="fetch it again, or remove it")
    image = _decode_jpeg(content, path, color, smallest_size) if content.startswith(_JPEG_START) else None
    return _decode_with_pillow(content, path, color) if image is None else image


def _decode_jpeg(
    jpeg: bytes, path: str, color: Color, smallest_size: Callable[[Size], Size] | None
) -> ImageArray | None:
    """The image, or None to try Pillow: simplejpeg rejects files with stray bytes that do not affect pixels."""
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(jpeg)
        if colorspace not in _SIMPLE_COLORSPACES:
            return None
        _check_size(height, width, path)
        orientation = jpeg_orientation(jpeg)
        smallest = (0, 0)
        if smallest_size is not None:
            smallest = _oriented(smallest_size(_oriented((height, width), orientation)), orientation)
        image: ImageArray = simplejpeg.decode_jpeg(
            jpeg,
            colorspace=color,
            min_height=smallest[0],
            min_width=smallest[1],
            min_factor=_CHEAP_FACTOR if smallest_size else 1,
            strict=True,
        )
    except ValueError:
        return None
    return upright(image[..., 0] if color == "gray" else image, orientation)


def _oriented(size: Size, orientation: int) -> Size:
    return (size[1], size[0]) if orientation in TRANSPOSED else size


def _decode_with_pillow(content: bytes, path: str, color: Color) -> ImageArray:
    try:
        with Image.open(io.BytesIO(content)) as image:
            _check_size(image.height, image.width, path)
            image.load()
            orientation = exif_orientation(image.info.get("exif") or b"")
            return upright(_as_8_bit(image, color, path), UPRIGHT if image.format == "TIFF" else orientation)
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            "the file is not an image that can be read",
            where=path,
            expected="JPEG, PNG or another format that Pillow opens",
            received=f"{len(content)} bytes that start with {content[:12]!r}",
            fix="replace it by the image, or remove it",
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(str(error), path) from error
    except Exception as error:  # a decoder may raise anything for a damaged file, such as SyntaxError
        raise DataError(
            f"the image is damaged or truncated: {error}",
            where=path,
            received=f"{len(content)} bytes",
            fix="fetch it again, or remove it",
        ) from error


def _as_8_bit(image: Image.Image, color: Color, path: str) -> ImageArray:
    if image.mode.startswith("I"):
        return _from_16_bit(np.asarray(image), color, path)
    if image.mode == "F":
        raise DataError(
            "the image has floating-point pixels, and does not say which value is white",
            where=path,
            expected="8 or 16 bits for each channel",
            fix="save it with 16 bits, or use the source `arrays`",
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert(_PILLOW_MODES[color]))


def _from_16_bit(values: Indices, color: Color, path: str) -> ImageArray:
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > _LARGEST_16_BIT:
        raise DataError(
            "the image has pixels that do not fit into 16 bits",
            where=path,
            expected=f"values from 0 to {_LARGEST_16_BIT}",
            received=f"values from {lowest} to {highest}",
            fix="save it with 16 bits, or use the source `arrays`",
        )
    gray = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return gray if color == "gray" else np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))


def _check_size(height: int, width: int, path: str) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > limit:
        raise _too_large(f"{height} x {width} = {height * width:,} pixels", path)


def _too_large(received: str, path: str) -> DataError:
    return DataError(
        "the picture has too many pixels",
        where=path,
        expected=f"at most {Image.MAX_IMAGE_PIXELS:,} (Pillow's limit, against files made to exhaust the memory)",
        received=received,
        fix="store a smaller copy; or, where the file is trusted, raise PIL.Image.MAX_IMAGE_PIXELS in a file of"
        " `imports:`",
    )
