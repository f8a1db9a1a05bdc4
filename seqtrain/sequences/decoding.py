"""Files to pixels: any picture that Pillow can read, as 8-bit gray or RGB, with its values keeping their meaning.

JPEG goes through simplejpeg, which releases the GIL and can scale while it decodes; everything else, and a JPEG that it
will not take (CMYK, damage), through Pillow, which has the last word on what is damaged. What is converted, and how:

    16 bits          65535 becomes 255, 257 becomes 1 (not the high byte, and not saturated)
    1 bit            0 and 255
    palette          its colours
    transparency     laid on white, as on a page: dark drawings on a clear ground are more frequent than bright ones
    CMYK, YCbCr...   Pillow's conversion, without colour profiles
    animation        the first frame
    orientation      turned as EXIF says
    floats           refused: nothing in the file says which value is white

Nothing global is changed: Pillow's own limit of pixels holds, and truncated files stay errors.
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
from seqtrain.structure import Indices, Picture, Size
from seqtrain.types import Color

_JPEG_START = b"\xff\xd8\xff"
_SIMPLE_COLORSPACES = frozenset({"YCbCr", "RGB", "Gray"})
_CHEAP_FACTOR = 2  # scaling by less (to 5/8, say) costs more than the whole picture: only 1/2, 1/4, 1/8 use SIMD
_PILLOW_MODES = {"gray": "L", "rgb": "RGB"}
_LARGEST_16_BIT = 65535

_reader: ContextVar[Callable[[str, bytes], object] | None] = ContextVar("reader", default=None)


@contextmanager
def showing_files(to: Callable[[str, bytes], object]) -> Iterator[None]:
    """While it is entered, call `to(path, content)` for each file that this thread reads, before it is decoded."""
    before = _reader.set(to)
    try:
        yield
    finally:
        _reader.reset(before)


def read_picture(path: str, color: Color, wanted: Callable[[Size], Size] | None = None) -> Picture:
    """Reads an image file.

    Args:
        path: Of the file.
        color: "gray" gives (height, width), "rgb" (height, width, 3).
        wanted: From the picture's size to the smallest size that will do. A JPEG may come out smaller than it is, by
            a factor that its format makes cheap, but not below that. Default: the full size.

    Raises:
        DataError: when the file cannot be read or holds no whole picture.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - of every sample, and a Path costs as much as the reading
            content = file.read()
    except FileNotFoundError as error:
        raise DataError("no such image file", where=path, fix="put it back, or list the data set anew") from error
    except OSError as error:
        raise DataError(
            f"the image file cannot be read: {error.strerror}", where=path, fix="check its permissions and the disk"
        ) from error
    if (shown_to := _reader.get()) is not None:
        shown_to(path, content)
    if not content:
        raise DataError("the image file is empty", where=path, fix="fetch it again, or remove it")
    picture = _decode_jpeg(content, path, color, wanted) if content.startswith(_JPEG_START) else None
    return _decode_with_pillow(content, path, color) if picture is None else picture


def _decode_jpeg(jpeg: bytes, path: str, color: Color, wanted: Callable[[Size], Size] | None) -> Picture | None:
    """The picture, or None to try Pillow: simplejpeg refuses files with stray bytes that harm no pixel."""
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(jpeg)
        if colorspace not in _SIMPLE_COLORSPACES:
            return None
        _check_size(height, width, path)
        orientation = jpeg_orientation(jpeg)
        smallest = _turned(wanted(_turned((height, width), orientation)), orientation) if wanted else (0, 0)
        picture: Picture = simplejpeg.decode_jpeg(
            jpeg,
            colorspace=color,
            min_height=smallest[0],
            min_width=smallest[1],
            min_factor=_CHEAP_FACTOR if wanted else 1,
            strict=True,
        )
    except ValueError:
        return None
    return upright(picture[..., 0] if color == "gray" else picture, orientation)


def _turned(size: Size, orientation: int) -> Size:
    return (size[1], size[0]) if orientation in TRANSPOSED else size


def _decode_with_pillow(content: bytes, path: str, color: Color) -> Picture:
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
    except Exception as error:  # a decoder that meets damage raises whatever it stumbles on: OSError, SyntaxError ...
        raise DataError(
            f"the image is damaged or truncated: {error}",
            where=path,
            received=f"{len(content)} bytes",
            fix="fetch it again, or remove it",
        ) from error


def _as_8_bit(image: Image.Image, color: Color, path: str) -> Picture:
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


def _from_16_bit(values: Indices, color: Color, path: str) -> Picture:
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
