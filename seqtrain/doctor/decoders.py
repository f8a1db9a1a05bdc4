"""Checks that images can be decoded: each decoder reads a small image of a known colour."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from seqtrain.doctor.finding import Finding

_LOSSLESS = ("PNG", "TIFF", "BMP", "GIF")
_TOLERANCE = 6  # largest error of a pixel in a lossy format
_COLOR = (200, 100, 50)
_SIZE = 16


def decoders() -> Iterator[Finding]:
    """Checks simplejpeg, OpenCV, and the formats that Pillow decodes."""
    for name, package, read in (
        ("jpeg", "simplejpeg", _jpeg),
        ("resizing", "opencv-python-headless", _resizing),
        ("formats", "pillow", _formats),
    ):
        yield _check_decoder(name, package, read)


def _check_decoder(name: str, package: str, read: Callable[[], str]) -> Finding:
    try:
        return Finding("decoders", name, "ok", read())
    except Exception as error:
        fix = f"pip install --force-reinstall --no-deps {package}"
        return Finding("decoders", name, "problem", f"{type(error).__name__}: {error}", fix)


def _jpeg() -> str:
    import simplejpeg
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (_SIZE, _SIZE), _COLOR).save(file, "JPEG", quality=95)
    _require_color(simplejpeg.decode_jpeg(file.getvalue(), "RGB"))
    return "simplejpeg reads a JPEG"


def _resizing() -> str:
    import cv2

    image = np.full((_SIZE, _SIZE, 3), _COLOR, np.uint8)
    _require_color(cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA))
    return "OpenCV resizes a picture"


def _formats() -> str:
    """Decodes an image of each format with the function that the image sequences use."""
    from PIL import Image, features

    from seqtrain.sequences.decoding import read_image

    formats = ["JPEG", *_LOSSLESS, *(["WEBP"] if features.check("webp") else [])]
    with tempfile.TemporaryDirectory() as folder:
        for name in formats:
            path = Path(folder, f"image.{name.lower()}")
            Image.new("RGB", (_SIZE, _SIZE), _COLOR).save(path, name)
            _require_color(read_image(str(path), "rgb"), 0 if name in _LOSSLESS else _TOLERANCE)
    return f"{', '.join(formats)} are read, each with its colours"


def _require_color(image: np.ndarray, tolerance: int = _TOLERANCE) -> None:
    error = np.abs(image.astype(int) - np.array(_COLOR)).max()
    if error > tolerance:
        raise ValueError(f"a picture of one colour was read with values that are off by {error}")
