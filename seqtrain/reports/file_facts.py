"""Facts about a sample's file that are known without decoding it: digest, format, size and mode.

The format is recognised by the first bytes. A GIF named `.jpg` works here, since Pillow checks the bytes too, but may
fail in other tools.

Digests are XXH3 of 128 bits, which runs at the speed of memory: copies are looked for, not forgeries.
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
_NO_PICTURES = frozenset({"NIFTI", "GZIP", "NPY", "HDF5", "PDF", "ZIP", "HTML"})
_JPEG_MODES = {"Gray": "L", "YCbCr": "RGB", "RGB": "RGB", "CMYK": "CMYK", "YCCK": "CMYK"}
_NIFTI_START = slice(344, 348)  # the magic of version 1 ends its header
FORMATS = ("", "unknown", "NIFTI", *dict.fromkeys([*_STARTS.values(), *_EXTENSIONS.values()]))
MODES = (
    *("", "1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "I;16B", "F"),
    "other",
)


class FileFacts(NamedTuple):
    """A file.

    Args:
        format: By its first bytes, one of `FORMATS`; "" where it cannot be read at all.
        is_misnamed: Whether its extension says another format.
        mode: Pillow's name of how pixels are stored, one of `MODES`; "" where it is no picture.
        height: In pixels; 0 where it is no picture.
        width: See `height`.
        digest: Of the whole file; None where it was not asked for.
    """

    format: str = ""
    is_misnamed: bool = False
    mode: str = ""
    height: int = 0
    width: int = 0
    digest: bytes | None = None

    @property
    def codes(self) -> tuple[int, int, int, int, int]:
        """As numbers: place in `FORMATS`, place in `MODES`, height, width, whether it is misnamed."""
        return FORMATS.index(self.format), MODES.index(self.mode), self.height, self.width, self.is_misnamed


def file_fields(source: Source, indices: Any) -> tuple[str, ...]:
    """The fields of a source's samples that are paths of files, each sample's own; none for other sources.

    Args:
        source: Any.
        indices: Of its samples; some are looked at.
    """
    if source.has_pictures:  # many samples come from one file
        return ()
    found: dict[str, None] = {}
    for index in indices[:_LOOKED_AT].tolist():
        try:
            sample = source[index]
        except SeqtrainError:  # reported when all are read
            continue
        for name in _FILE_FIELDS:
            if isinstance(sample.get(name), str) and os.path.isfile(sample[name]):  # noqa: PTH113
                found[name] = None
    return tuple(name for name in _FILE_FIELDS if name in found)


def look_at(path: str, with_digest: bool = True) -> FileFacts:
    """Reads a file; one that is missing has no facts.

    Args:
        path: Of the file.
        with_digest: Whether it is read whole.
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - of every sample
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
    """The facts about a file.

    Args:
        path: Of the file, whose extension is compared.
        start: Its first 64 KiB at least, or all of it.
        digest: What is known of all of it.
    """
    kind = format_of(start)
    named = _EXTENSIONS.get(os.path.splitext(path)[1].lower(), "")  # noqa: PTH122
    is_misnamed = bool(kind != "unknown" and named and kind != named)
    return FileFacts(kind, is_misnamed, *_picture_header(start, kind, path), digest)


def digest_of(content: bytes) -> bytes:
    """That of a file's content, or of several digests as one."""
    return xxhash.xxh3_128_digest(content)


def kind_names(codes: npt.NDArray[np.int32]) -> list[str]:
    """Format and mode of files in words, such as "JPEG RGB".

    Args:
        codes: A row for each file; see `FileFacts.codes`.
    """
    pairs = [tuple(pair) for pair in codes[:, :2].tolist()]
    names = {(kind, mode): f"{FORMATS[kind]} {MODES[mode]}".strip() for kind, mode in set(pairs)}
    return [names[pair] for pair in pairs]


def size_names(codes: npt.NDArray[np.int32]) -> list[str]:
    """Width and height of files; see `kind_names`. "" where a file is no picture."""
    return [f"{width} x {height}" if height else "" for height, width in codes[:, 2:4].tolist()]


class ReadFiles:
    """The facts of files that were read for some samples, noted as they were read; of others, read now."""

    def __init__(self) -> None:
        self._facts: dict[str, FileFacts] = {}

    def note(self, path: str, content: bytes) -> None:
        """Keeps the facts of a file."""
        if path not in self._facts:
            self._facts[path] = facts_of(path, content, digest_of(content))

    def facts(self, path: str, with_digest: bool) -> FileFacts:
        """Those of a file; `with_digest` as `look_at`."""
        return self._facts.get(path) or look_at(path, with_digest)


def format_of(start: bytes) -> str:
    """The format of a file by its first bytes."""
    if start[_NIFTI_START] in (b"n+1\0", b"ni1\0") or start[4:8] == b"n+2\0":
        return "NIFTI"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in _STARTS.items() if start.startswith(magic)), "unknown")


def _picture_header(start: bytes, kind: str, path: str) -> tuple[str, int, int]:
    if kind in _NO_PICTURES:
        return "", 0, 0
    try:
        if kind == "JPEG":
            height, width, colors, _ = simplejpeg.decode_jpeg_header(start)
            return _JPEG_MODES.get(colors, "other"), height, width
    except ValueError:  # a thumbnail before the header, or damage: Pillow knows more
        pass
    for source in (io.BytesIO(start), path):  # some formats store the size at the end of the file
        try:
            with Image.open(source) as image:
                return image.mode if image.mode in MODES else "other", image.height, image.width
        except Exception:  # the sequence, which decodes it, reports what is wrong
            continue
    return "", 0, 0
