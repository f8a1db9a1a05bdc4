"""Decoded pictures kept on disk, so that each is decoded once and later epochs read pixels.

A cache is one sparse file: first a checksum (seal) for each image file of the source, then the pixels of each, all of
one size. The seal covers the file's path, size and modification time and the pixels themselves, and is verified
whenever pixels are read. So no locks, no order of writes and no clean shutdown are needed: an image that is missing,
half written, damaged, being written by another run, or whose file has changed, has a wrong seal and is decoded again.
Any number of threads, worker processes and runs can share a cache, and an interrupted run continues to fill it.

    <path>/<key>/records       the seals and the pixels
    <path>/<key>/about.json    what the key is made of, for people

The key is a digest of everything that affects the pixels and of the list of files: other arguments use another cache.

Pixels are read through a memory map and written by system calls: on a full disk the call raises an error, while writing
through the map would kill the process. To read and verify a 224x224 colour image takes 0.03 ms, to decode it 0.9 ms.

A file's size and time are checked once per run, so a change during a run has no effect until the next run. A change
that keeps size and modification time is not detected.

Why no library is used: LMDB and SQLite allow only one writing process at a time, HDF5 does not allow several at all,
all three must be closed cleanly, and with a file per image, opening a file takes as long as reading its pixels.
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
from seqtrain.files import written_whole
from seqtrain.registry import sequences
from seqtrain.sequences.image import ImageSequence
from seqtrain.structure import Picture

_FORMAT = 1  # of the records; another one is another key
_SEAL_BYTES = 8
_PAGE = 4096
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOCKS_START = 2**62  # beyond all records
_giving_up = threading.Lock()
_log = logging.getLogger(__name__)


class PictureCache:
    """The decoded pictures of a list of image files.

    Args:
        root: The folder of all caches.
        shaped_by: All that the pixels depend on besides the files.
        shape: Of one picture.
        files: The digests of the files' paths, sorted; see `path_digests`.

    Raises:
        ConfigError: when the folder cannot be used.
    """

    def __init__(
        self, root: Path, shaped_by: Mapping[str, Any], shape: tuple[int, ...], files: npt.NDArray[np.uint64]
    ) -> None:
        about = {"format": _FORMAT, "byte_order": sys.byteorder, "shape": list(shape), **shaped_by}
        about |= {"files": len(files), "files_digest": hashlib.sha256(files.tobytes()).hexdigest()}
        text = json.dumps(about, indent=2, sort_keys=True)
        self.folder = root / hashlib.sha256(text.encode()).hexdigest()[:16]
        self.shape = shape
        self.failure: str | None = None
        self._num_bytes = math.prod(shape)
        self._pixels_start = -(-_SEAL_BYTES * len(files) // _PAGE) * _PAGE
        self._size = self._pixels_start + self._num_bytes * len(files)
        self._files = files
        self._run = os.getpid()  # its workers are other processes
        try:
            self._open()
            if not (self.folder / "about.json").exists():
                with written_whole(self.folder / "about.json", shared=True) as file:
                    file.write(f"{text}\n".encode())
        except OSError as error:
            if error.errno not in _NO_ROOM and not self._is_open:
                raise ConfigError(
                    f"cache.path: the folder cannot be used: {error.strerror}",
                    received=str(self.folder),
                    fix="name a folder that can be written, or remove `cache`",
                ) from error
            if error.errno in _NO_ROOM:
                self._give_up(error)

    def read(self, path: str, picture: Picture, decode: Callable[[str, Picture], None]) -> bool:
        """Write the pixels of an image file into a picture: from the cache, or decoded, and added to the cache.

        Args:
            path: Of the image file.
            picture: To write; one of another shape than the cache's is decoded.
            decode: Reads the file itself into a picture.

        Returns:
            Whether they were in the cache.
        """
        if picture.shape != self.shape or not picture.flags.c_contiguous:
            decode(path, picture)
            return False
        slots, identities = self._find([path])
        if self._load(slots, identities, picture[None])[0]:
            return True
        decode(path, picture)
        if identities[0]:
            self._store(int(slots[0]), identities, picture)
        return False

    def read_kept(self, paths: Sequence[str], pictures: Picture) -> npt.NDArray[np.bool_]:
        """Write all those of many pictures that are in the cache, at once; the others are undefined afterwards.

        Args:
            paths: Of the image files.
            pictures: One for each path, contiguous, of the cache's shape.

        Returns:
            For each picture, whether it was in the cache.
        """
        return self._load(*self._find(paths), pictures)

    @property
    def num_bytes_on_disk(self) -> int:
        """The disk space of the records: a sparse file takes no more than was written."""
        return os.fstat(self._descriptor).st_blocks * 512 if self._is_open else 0

    @property
    def _is_open(self) -> bool:
        return self._descriptor >= 0

    def _open(self) -> None:
        self._identities = np.zeros(len(self._files), dtype=np.uint64)  # 0: not looked at yet in this process
        self._descriptor = -1
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_or_make(self.folder / "records")
        try:
            if os.fstat(descriptor).st_size < self._size:  # new, or cut off
                os.ftruncate(descriptor, self._size)
                _write_all(descriptor, bytes(self._pixels_start), 0)  # room for all seals
            memory = mmap.mmap(descriptor, self._size, prot=mmap.PROT_READ)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._closes = weakref.finalize(self, os.close, descriptor)
        self._seals = np.frombuffer(memory, np.uint64, len(self._files))
        pixels = np.frombuffer(memory, np.uint8, offset=self._pixels_start)
        self._pixels = pixels.reshape(len(self._files), self._num_bytes)

    def _find(self, paths: Sequence[str]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
        """The record of each picture and the identity of its file; the identity is 0 where a file cannot be cached."""
        digests = np.array([_path_digest(path) for path in paths], dtype=np.uint64)
        slots = np.minimum(self._files.searchsorted(digests), len(self._files) - 1)
        for number in np.flatnonzero(self._identities[slots] == 0).tolist():
            self._identities[slots[number]] = _identity(paths[number])
        return slots, np.where(self._files[slots] == digests, self._identities[slots], np.uint64(0))

    def _load(
        self, slots: npt.NDArray[np.intp], identities: npt.NDArray[np.uint64], pictures: Picture
    ) -> npt.NDArray[np.bool_]:
        nothing = np.zeros(len(slots), dtype=np.bool_)
        if not self._is_open or os.fstat(self._descriptor).st_size < self._size:  # cut off: the map has no end now
            return nothing
        seals = self._seals[slots]
        kept = (seals != 0) & (identities != 0)
        if not kept.any():
            return nothing
        flat = pictures.reshape(len(slots), -1)
        # One call, so that the interpreter is left to others once. What is not kept may be a hole, and is not touched.
        self._pixels.take(np.where(kept, slots, slots[kept][0]), axis=0, out=flat, mode="clip")
        proved: npt.NDArray[np.bool_] = kept & (seals == _seals(identities, flat))
        return proved

    def _store(self, slot: int, identities: npt.NDArray[np.uint64], picture: Picture) -> None:
        if self.failure is not None:
            return
        try:
            _write_all(self._descriptor, picture.data.cast("B"), self._pixels_start + slot * self._num_bytes)
            seal = _seals(identities, picture.reshape(1, -1))
            _write_all(self._descriptor, seal.tobytes(), slot * _SEAL_BYTES)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Stop adding to the cache; of all processes of a run, one logs a warning."""
        with _giving_up:
            if self.failure is not None:
                return
            self.failure = "it may only be read" if error.errno == errno.EBADF else str(error.strerror)
        if self._is_open:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCKS_START + self._run)
            except BlockingIOError:
                return
            except OSError:
                pass  # a file system without locks: rather twice than never
        _log.warning(
            "the cache %s takes no more pictures: %s; the run goes on and decodes what is not kept",
            self.folder,
            self.failure,
        )

    def __getstate__(self) -> dict[str, Any]:
        left_here = ("_identities", "_descriptor", "_closes", "_pixels", "_seals")
        return {name: value for name, value in self.__dict__.items() if name not in left_here}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        try:
            self._open()
        except OSError as error:
            self._give_up(error)


def open_caches(root: Path, name: str, cached: Iterable[Any]) -> None:
    """Open caches for the sequences of one source; sequences that decode to the same pixels share one.

    Args:
        root: The folder of all caches.
        name: What the config calls the sequences.
        cached: The sequences: `ImageSequence`, or a class of the user's that derives from it.

    Raises:
        ConfigError: when they decode nothing, or the folder cannot be used.
    """
    files: npt.NDArray[np.uint64] | None = None
    opened: dict[str, PictureCache] = {}
    for sequence in cached:
        if not isinstance(sequence, ImageSequence):
            able = [other for other in sequences.names() if _keeps_pictures(sequences.get(other).load())]
            raise ConfigError(
                f"cache: the sequence '{name}' decodes nothing that could be kept",
                expected=one_of(able),
                fix="remove `cache`",
            )
        if "path" not in sequence.source[0]:
            raise ConfigError(
                f"cache: a sample of the source {type(sequence.source).__name__} is not one image file",
                fix="remove `cache`",
            )
        if files is None:
            files = path_digests(sequence.source[index]["path"] for index in range(len(sequence.source)))
        key = json.dumps([sequence.shaped_by, sequence.read_shape])
        if key not in opened:
            opened[key] = PictureCache(root, sequence.shaped_by, sequence.read_shape, files)
        sequence.use_cache(opened[key])


def _keeps_pictures(component: Any) -> bool:
    return isinstance(component, type) and issubclass(component, ImageSequence)


def path_digests(paths: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Eight bytes for each path, sorted, each once: a record's place is that of its path's digest."""
    return np.unique(np.fromiter((_path_digest(path) for path in paths), dtype=np.uint64))


def _path_digest(path: str) -> int:
    return _digest(os.fsencode(path))


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), sys.byteorder)


def _identity(path: str) -> int:
    """A digest of the file's path, size and time of change; 0 where it is not readable: decoding will say why."""
    try:
        found = os.stat(path)  # noqa: PTH116 - of every sample
    except OSError:
        return 0
    absolute = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - keeps links as they are
    return _digest(b"%s\0%d\0%d" % (absolute, found.st_size, found.st_mtime_ns)) or 1


def _seals(identities: npt.NDArray[np.uint64], flat: Picture) -> npt.NDArray[np.uint64]:
    """Checksums of pictures: sums over their pixels in words of 8 bytes, combined with the identities of their files.

    A sum finds what happens to files: pages that were never written, or are another version's. 150 KB take 0.01 ms,
    where a CRC would take 0.1.
    """
    whole = flat.shape[1] // _SEAL_BYTES * _SEAL_BYTES
    totals = flat[:, :whole].view(np.uint64).sum(axis=1)
    if whole < flat.shape[1]:
        totals += flat[:, whole:] @ (np.uint64(256) ** np.arange(flat.shape[1] - whole, dtype=np.uint64))
    seals: npt.NDArray[np.uint64] = np.maximum(identities + totals * _SPREAD, np.uint64(1))  # 0 is an absent one
    return seals


def _write_all(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    if os.pwrite(descriptor, content, offset) < len(content):  # it stops early where the disk is full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_or_make(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # another person's, prepared ahead
