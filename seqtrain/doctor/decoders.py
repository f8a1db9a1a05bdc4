"""Whether pictures can be read: each decoder reads a small one, whose pixels are known."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from seqtrain.doctor.finding import Finding

_LOSSLESS = ("PNG", "TIFF", "BMP", "GIF")
_TOLERANCE = 6  # of a lossy picture of one colour
_COLOR = (200, 100, 50)
_SIZE = 16


def decoders() -> Iterator[Finding]:
    """The loader's simplejpeg and OpenCV, and the formats of Pillow."""
    yield _jpeg()
    yield _resizing()
    yield _formats()


def _jpeg() -> Finding:
    try:
        import simplejpeg
        from PIL import Image

        file = io.BytesIO()
        Image.new("RGB", (_SIZE, _SIZE), _COLOR).save(file, "JPEG", quality=95)
        _require_color(simplejpeg.decode_jpeg(file.getvalue(), "RGB"))
    except Exception as error:
        return _broken("jpeg", "simplejpeg", error)
    return Finding("decoders", "jpeg", "ok", "simplejpeg reads a JPEG")


def _resizing() -> Finding:
    try:
        import cv2

        small = cv2.resize(np.full((_SIZE, _SIZE, 3), _COLOR, np.uint8), (4, 4), interpolation=cv2.INTER_AREA)
        _require_color(small)
    except Exception as error:
        return _broken("resizing", "opencv-python-headless", error)
    return Finding("decoders", "resizing", "ok", "OpenCV resizes a picture")


def _formats() -> Finding:
    """Each format through the reader of the image sequences."""
    try:
        from PIL import Image, features

        from seqtrain.sequences.decoding import read_picture

        formats = ["JPEG", *_LOSSLESS, *(["WEBP"] if features.check("webp") else [])]
        with tempfile.TemporaryDirectory() as folder:
            for name in formats:
                path = Path(folder, f"picture.{name.lower()}")
                Image.new("RGB", (_SIZE, _SIZE), _COLOR).save(path, name)
                _require_color(read_picture(str(path), "rgb"), 0 if name in _LOSSLESS else _TOLERANCE)
    except Exception as error:
        return _broken("formats", "pillow", error)
    return Finding("decoders", "formats", "ok", f"{', '.join(formats)} are read, each with its colours")


def _require_color(picture: np.ndarray, tolerance: int = _TOLERANCE) -> None:
    far = np.abs(picture.astype(int) - np.array(_COLOR)).max()
    if far > tolerance:
        raise ValueError(f"a picture of one colour was read with values that are off by {far}")


def _broken(name: str, package: str, error: Exception) -> Finding:
    told = f"{type(error).__name__}: {error}"
    return Finding("decoders", name, "problem", told, f"pip install --force-reinstall --no-deps {package}")
