"""A cache of decoded images on disk, so that each image is decoded once and later epochs read pixels.

A cache is one sparse file: first a checksum for each image file of the source, then the pixels of each, all of one
size. The checksum covers the file's path, size and modification time and the pixels themselves, and is verified
whenever pixels are read. So no locks, no order of writes and no clean shutdown are needed: an image that is missing,
half written, damaged, being written by another run, or whose file has changed, has a wrong checksum and is decoded
again. Any number of threads, worker processes and runs can share a cache, and an interrupted run continues to fill it.

    <path>/<key>/records       the checksums and the pixels
    <path>/<key>/about.json    what the key is made from, for people

The key is a digest of everything that affects the pixels and of the list of files: other arguments use another cache.

Pixels are read through a memory map and written by system calls: on a full disk the call raises an error, while writing
through the map would kill the process. Reading and verifying a 224x224 colour image takes 0.03 ms, decoding it 0.9 ms.

A file's size and time are checked once per run, so a change during a run has no effect until the next run. A change
that keeps size and modification time is not detected.

No library is used, because LMDB and SQLite allow only one writing process at a time, HDF5 does not allow several
processes at all, and all three must be closed cleanly. With one file per image, opening a file would take as long as
reading its pixels.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import math
import mmap
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, one_of
from seqtrain.files import atomic_write
from seqtrain.registry import sequences
from seqtrain.sequences.image import ImageSequence
from seqtrain.structure import ImageArray

_FORMAT = 1  # the version of the records' format; a new version uses new caches
_CHECKSUM_BYTES = 8
_PAGE = 4096
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that the multiplication is reversible
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOCKS_START = 2**62  # byte offsets after all records
_failure_lock = threading.Lock()
_log = logging.getLogger(__name__)


class ImageCache:
    """The decoded images of a list of image files.

    Args:
        root: The folder of all caches.
        settings: Everything that the pixels depend on besides the files.
        shape: The shape of one image.
        files: The digests of the files' paths, sorted; see `path_digests`.

    Raises:
        ConfigError: when the folder cannot be used.
    """

    def __init__(
        self, root: Path, settings: Mapping[str, Any], shape: tuple[int, ...], files: npt.NDArray[np.uint64]
    ) -> None:
        about = {"format": _FORMAT, "byte_order": sys.byteorder, "shape": list(shape), **settings}
        about |= {"files": len(files), "files_digest": hashlib.sha256(files.tobytes()).hexdigest()}
        text = json.dumps(about, indent=2, sort_keys=True)
        self.folder = root / hashlib.sha256(text.encode()).hexdigest()[:16]
        self.shape = shape
        self.failure: str | None = None
        self._num_bytes = math.prod(shape)
        self._pixels_start = -(-_CHECKSUM_BYTES * len(files) // _PAGE) * _PAGE
        self._size = self._pixels_start + self._num_bytes * len(files)
        self._files = files
        self._run = os.getpid()  # worker processes get this value by pickling
        try:
            self._open()
            if not (self.folder / "about.json").exists():
                with atomic_write(self.folder / "about.json", shared=True) as file:
                    file.write(f"{text}\n".encode())
        except OSError as error:
            if error.errno not in _NO_ROOM and not self._is_open:
                raise ConfigError(
                    f"cache.path: the folder cannot be used: {error.strerror}",
                    received=str(self.folder),
                    fix="name a folder that can be written, or remove `cache`",
                ) from error
            if error.errno in _NO_ROOM:
                self._stop_adding(error)

    def read(self, path: str, image: ImageArray, decode: Callable[[str, ImageArray], None]) -> bool:
        """Writes the pixels of an image file into `image`: from the cache, or decoded and added to the cache.

        Args:
            path: The image file.
            image: The array to fill; if its shape is not the cache's, the file is decoded.
            decode: Decodes the file into an array.

        Returns:
            Whether the pixels were in the cache.
        """
        if image.shape != self.shape or not image.flags.c_contiguous:
            decode(path, image)
            return False
        slots, identities = self._slots_and_identities([path])
        if self._load(slots, identities, image[None])[0]:
            return True
        decode(path, image)
        if identities[0]:
            self._store(int(slots[0]), identities, image)
        return False

    def read_cached(self, paths: Sequence[str], images: ImageArray) -> npt.NDArray[np.bool_]:
        """Writes all images that are in the cache at once; the rows of the others are undefined afterwards.

        Args:
            paths: The image files.
            images: An array with a row for each path, contiguous, with images of the cache's shape.

        Returns:
            For each image, whether it was in the cache.
        """
        return self._load(*self._slots_and_identities(paths), images)

    @property
    def num_bytes_on_disk(self) -> int:
        """The disk space that the records take; a sparse file takes no more than was written."""
        return os.fstat(self._descriptor).st_blocks * 512 if self._is_open else 0

    @property
    def _is_open(self) -> bool:
        return self._descriptor >= 0

    def _open(self) -> None:
        self._identities = np.zeros(len(self._files), dtype=np.uint64)  # 0: not computed yet in this process
        self._descriptor = -1
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_or_make(self.folder / "records")
        try:
            if os.fstat(descriptor).st_size < self._size:  # new or truncated
                os.ftruncate(descriptor, self._size)
                _write_all(descriptor, bytes(self._pixels_start), 0)  # space for all checksums
            memory = mmap.mmap(descriptor, self._size, prot=mmap.PROT_READ)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._finalizer = weakref.finalize(self, os.close, descriptor)
        self._checksums = np.frombuffer(memory, np.uint64, len(self._files))
        pixels = np.frombuffer(memory, np.uint8, offset=self._pixels_start)
        self._pixels = pixels.reshape(len(self._files), self._num_bytes)

    def _slots_and_identities(self, paths: Sequence[str]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
        """The record of each image and the identity of its file; the identity is 0 if a file cannot be cached."""
        digests = np.array([_path_digest(path) for path in paths], dtype=np.uint64)
        slots = np.minimum(self._files.searchsorted(digests), len(self._files) - 1)
        for number in np.flatnonzero(self._identities[slots] == 0).tolist():
            self._identities[slots[number]] = _identity(paths[number])
        return slots, np.where(self._files[slots] == digests, self._identities[slots], np.uint64(0))

    def _load(
        self, slots: npt.NDArray[np.intp], identities: npt.NDArray[np.uint64], images: ImageArray
    ) -> npt.NDArray[np.bool_]:
        nothing = np.zeros(len(slots), dtype=np.bool_)
        # If the file was truncated, reading the map would kill the process.
        if not self._is_open or os.fstat(self._descriptor).st_size < self._size:
            return nothing
        checksums = self._checksums[slots]
        kept = (checksums != 0) & (identities != 0)
        if not kept.any():
            return nothing
        flat = images.reshape(len(slots), -1)
        # One call, which releases the GIL once. Rows that are not cached may be holes in the file, and are not read.
        self._pixels.take(np.where(kept, slots, slots[kept][0]), axis=0, out=flat, mode="clip")
        valid: npt.NDArray[np.bool_] = kept & (checksums == _checksums(identities, flat))
        return valid

    def _store(self, slot: int, identities: npt.NDArray[np.uint64], image: ImageArray) -> None:
        if self.failure is not None:
            return
        try:
            _write_all(self._descriptor, image.data.cast("B"), self._pixels_start + slot * self._num_bytes)
            checksum = _checksums(identities, image.reshape(1, -1))
            _write_all(self._descriptor, checksum.tobytes(), slot * _CHECKSUM_BYTES)
        except OSError as error:
            self._stop_adding(error)

    def _stop_adding(self, error: OSError) -> None:
        """Stops adding to the cache; only one process of a run logs the warning."""
        with _failure_lock:
            if self.failure is not None:
                return
            self.failure = "it may only be read" if error.errno == errno.EBADF else str(error.strerror)
        if self._is_open:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCKS_START + self._run)
            except BlockingIOError:
                return
            except OSError:
                pass  # a file system without locks: better two warnings than none
        _log.warning(
            "the cache %s takes no more pictures: %s; the run goes on and decodes what is not kept",
            self.folder,
            self.failure,
        )

    def __getstate__(self) -> dict[str, Any]:
        not_pickled = ("_identities", "_descriptor", "_finalizer", "_pixels", "_checksums")
        return {name: value for name, value in self.__dict__.items() if name not in not_pickled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        try:
            self._open()
        except OSError as error:
            self._stop_adding(error)


def open_caches(root: Path, name: str, cached: Iterable[Any]) -> None:
    """Opens caches for the sequences of one source; sequences that decode to the same pixels share one.

    Args:
        root: The folder of all caches.
        name: The registered name of the sequences.
        cached: The sequences, which must be `ImageSequence`s.

    Raises:
        ConfigError: when they decode no image files, or the folder cannot be used.
    """
    files: npt.NDArray[np.uint64] | None = None
    opened: dict[str, ImageCache] = {}
    for sequence in cached:
        if not isinstance(sequence, ImageSequence):
            supported = [other for other in sequences.names() if _decodes_images(sequences.get(other).load())]
            raise ConfigError(
                f"cache: the sequence '{name}' decodes nothing that could be kept",
                expected=one_of(supported),
                fix="remove `cache`",
            )
        if "path" not in sequence.source[0]:
            raise ConfigError(
                f"cache: a sample of the source {type(sequence.source).__name__} is not one image file",
                fix="remove `cache`",
            )
        if files is None:
            files = path_digests(sequence.source[index]["path"] for index in range(len(sequence.source)))
        key = json.dumps([sequence.decoding_settings, sequence.read_shape])
        if key not in opened:
            opened[key] = ImageCache(root, sequence.decoding_settings, sequence.read_shape, files)
        sequence.use_cache(opened[key])


def _decodes_images(component: Any) -> bool:
    return isinstance(component, type) and issubclass(component, ImageSequence)


def path_digests(paths: Iterable[str]) -> npt.NDArray[np.uint64]:
    """A digest of 8 bytes for each path, sorted and unique; a record's position is that of its path's digest."""
    return np.unique(np.fromiter((_path_digest(path) for path in paths), dtype=np.uint64))


def _path_digest(path: str) -> int:
    return _digest(os.fsencode(path))


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), sys.byteorder)


def _identity(path: str) -> int:
    """A digest of the file's path, size and modification time; 0 if it cannot be read, which decoding will report."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each sample is slow
    except OSError:
        return 0
    absolute = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - does not resolve links
    return _digest(b"%s\0%d\0%d" % (absolute, found.st_size, found.st_mtime_ns)) or 1


def _checksums(identities: npt.NDArray[np.uint64], flat: ImageArray) -> npt.NDArray[np.uint64]:
    """Checksums of images: sums over their pixels in words of 8 bytes, combined with the identities of their files.

    A sum detects the usual damage: pages that were never written, or that belong to another version. It takes 0.01 ms
    for 150 KB, where a CRC takes 0.1 ms.
    """
    num_whole = flat.shape[1] // _CHECKSUM_BYTES * _CHECKSUM_BYTES
    totals = flat[:, :num_whole].view(np.uint64).sum(axis=1)
    if num_whole < flat.shape[1]:
        totals += flat[:, num_whole:] @ (np.uint64(256) ** np.arange(flat.shape[1] - num_whole, dtype=np.uint64))
    sums: npt.NDArray[np.uint64] = np.maximum(identities + totals * _MULTIPLIER, np.uint64(1))  # 0: not cached
    return sums


def _write_all(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    if os.pwrite(descriptor, content, offset) < len(content):  # it stops early if the disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_or_make(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a prepared cache that this user may only read
