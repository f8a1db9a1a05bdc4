"""Facts about a sample's file that are known without decoding it: digest, format, size and mode.

The format is recognised by the first bytes. A GIF named `.jpg` works here, since Pillow checks the bytes too, but may
fail in other tools.

Digests are XXH3 with 128 bits, which runs at the speed of memory. Protection against deliberate collisions is not
needed to find copies.
"""

from __future__ import annotations

import io
import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
import xxhash
from PIL import Image

from seqtrain.errors import SeqtrainError
from seqtrain.sources.base import Source

DIGEST_BYTES = 16

_FILE_FIELDS = ("path", "path_a", "path_b", "volume", "mask")
_LOOKED_AT = 16
_LARGEST_HEADER = 1 << 16
_BLOCK = 1 << 20
_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\x1f\x8b": "GZIP",
    b"\x93NUMPY": "NPY",
    b"\x89HDF\r\n": "HDF5",
    b"%PDF": "PDF",
    b"PK\x03\x04": "ZIP",
    b"<!DOCTYPE": "HTML",
    b"<html": "HTML",
}
_EXTENSIONS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **{".png": "PNG", ".gif": "GIF", ".bmp": "BMP", ".webp": "WEBP", ".gz": "GZIP", ".npy": "NPY", ".npz": "ZIP"},
}
_NO_IMAGES = frozenset({"NIFTI", "GZIP", "NPY", "HDF5", "PDF", "ZIP", "HTML"})
_JPEG_MODES = {"Gray": "L", "YCbCr": "RGB", "RGB": "RGB", "CMYK": "CMYK", "YCCK": "CMYK"}
_NIFTI_START = slice(344, 348)  # the magic of version 1 ends its header
FORMATS = ("", "unknown", "NIFTI", *dict.fromkeys([*_STARTS.values(), *_EXTENSIONS.values()]))
MODES = (
    *("", "1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "I;16B", "F"),
    "other",
)


class FileFacts(NamedTuple):
    """The facts about one file.

    Args:
        format: The format by its first bytes, one of `FORMATS`; "" if it cannot be read.
        is_misnamed: Whether its extension is that of another format.
        mode: Pillow's mode of the image, one of `MODES`; "" if the file is no image.
        height: The height in pixels; 0 if the file is no image.
        width: The width, likewise.
        digest: The digest of the whole file; None if it was not requested.
    """

    format: str = ""
    is_misnamed: bool = False
    mode: str = ""
    height: int = 0
    width: int = 0
    digest: bytes | None = None

    @property
    def codes(self) -> tuple[int, int, int, int, int]:
        """The facts as numbers: index in `FORMATS`, index in `MODES`, height, width, whether it is misnamed."""
        return FORMATS.index(self.format), MODES.index(self.mode), self.height, self.width, self.is_misnamed


def file_fields(source: Source, indices: Any) -> tuple[str, ...]:
    """The fields of a source's samples that are paths of files; none if many samples come from one file.

    Args:
        source: The source.
        indices: The indices of samples, of which the first few are checked.
    """
    if source.has_pictures:  # its samples are not files
        return ()
    found: dict[str, None] = {}
    for index in indices[:_LOOKED_AT].tolist():
        try:
            sample = source[index]
        except SeqtrainError:  # reported when all samples are read
            continue
        for name in _FILE_FIELDS:
            if isinstance(sample.get(name), str) and os.path.isfile(sample[name]):  # noqa: PTH113 - may be a text of any length
                found[name] = None
    return tuple(name for name in _FILE_FIELDS if name in found)


def read_facts(path: str, with_digest: bool = True) -> FileFacts:
    """The facts about a file, all of them empty if it cannot be read.

    Args:
        path: The file.
        with_digest: Whether to read the whole file for its digest.
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - called for every sample
            start = file.read(_LARGEST_HEADER)
            if not with_digest:
                return facts_of(path, start, None)
            digest = xxhash.xxh3_128(start)
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return FileFacts()
    return facts_of(path, start, digest.digest())


def facts_of(path: str, start: bytes, digest: bytes | None) -> FileFacts:
    """The facts about a file whose content has been read.

    Args:
        path: The file, whose extension is compared with its format.
        start: At least the first 64 KiB of its content, or all of it.
        digest: The digest of the whole content, if it is known.
    """
    kind = format_of(start)
    named = _EXTENSIONS.get(os.path.splitext(path)[1].lower(), "")  # noqa: PTH122 - called for every sample
    is_misnamed = bool(kind != "unknown" and named and kind != named)
    return FileFacts(kind, is_misnamed, *_image_header(start, kind, path), digest)


def digest_of(content: bytes) -> bytes:
    """The digest of a file's content, or of several digests."""
    return xxhash.xxh3_128_digest(content)


def kind_names(codes: npt.NDArray[np.int32]) -> list[str]:
    """The format and mode of files as text, such as "JPEG RGB".

    Args:
        codes: The `FileFacts.codes` of each file, one per row.
    """
    pairs = [tuple(pair) for pair in codes[:, :2].tolist()]
    names = {(kind, mode): f"{FORMATS[kind]} {MODES[mode]}".strip() for kind, mode in set(pairs)}
    return [names[pair] for pair in pairs]


def size_names(codes: npt.NDArray[np.int32]) -> list[str]:
    """The width and height of files as text; "" if a file is no image. See `kind_names`."""
    return [f"{width} x {height}" if height else "" for height, width in codes[:, 2:4].tolist()]


class ReadFiles:
    """The facts about the files of some samples; files that were not read for their samples are read when needed."""

    def __init__(self) -> None:
        self._facts: dict[str, FileFacts] = {}

    def note(self, path: str, content: bytes) -> None:
        """Keeps the facts about a file that has been read."""
        if path not in self._facts:
            self._facts[path] = facts_of(path, content, digest_of(content))

    def facts(self, path: str, with_digest: bool) -> FileFacts:
        """The facts about a file; see `read_facts`."""
        return self._facts.get(path) or read_facts(path, with_digest)


def format_of(start: bytes) -> str:
    """The format of a file by its first bytes."""
    if start[_NIFTI_START] in (b"n+1\0", b"ni1\0") or start[4:8] == b"n+2\0":
        return "NIFTI"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in _STARTS.items() if start.startswith(magic)), "unknown")


def _image_header(start: bytes, kind: str, path: str) -> tuple[str, int, int]:
    if kind in _NO_IMAGES:
        return "", 0, 0
    try:
        if kind == "JPEG":
            height, width, colors, _ = simplejpeg.decode_jpeg_header(start)
            return _JPEG_MODES.get(colors, "other"), height, width
    except ValueError:  # the header comes after a thumbnail, or is damaged: Pillow may still read it
        pass
    for source in (io.BytesIO(start), path):  # some formats store the size at the end of the file
        try:
            with Image.open(source) as image:
                return image.mode if image.mode in MODES else "other", image.height, image.width
        except Exception:  # reported by the sequence when it decodes the file
            continue
    return "", 0, 0
