"""Decoded pictures kept on disk, so that each is decoded once and later epochs read pixels.

A cache is one sparse file of records of one size, `pixels | seal`, one for each image file of the source. The seal is a
number made of what the file is (path, size, time of change) and of the pixels themselves; it is looked at whenever a
record is read. So a record needs no lock, no order of writing and no clean end: one that is absent, half written, torn
by another run that writes it, damaged, or of a file that has changed since, has the wrong seal and is made again. Any
number of threads, worker processes and runs share a cache, and one that was interrupted is complete where it is.

    <path>/<key>/records       the pixels
    <path>/<key>/about.json    what the key is made of, for people

The key is a digest of all that shapes the pixels and of the list of files: other arguments are another cache.

Records are read through a memory map and written by system calls: a full disk is an error of the call, where writing
through the map would kill the process. Reading a record of 224x224 in colour costs 0.03 ms, decoding it 0.86 ms.

A file is looked at once in a run: one that changes in the course of a run is seen as it was until the run ends. One
that is changed without another size or time of change cannot be told from what it was.
"""

from __future__ import annotations

import contextlib
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
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, one_of
from seqtrain.registry import sequences

Picture = npt.NDArray[np.uint8]

_FORMAT = 1  # of the records; another one is another key
_SEAL_BYTES = 8
_ALIGNMENT = 64
_SPREAD = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses nothing
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
        self._stride = -(-(self._num_bytes + _SEAL_BYTES) // _ALIGNMENT) * _ALIGNMENT
        self._files = files
        self._run = os.getpid()  # its workers are other processes
        try:
            self._open()
            _write_whole(self.folder / "about.json", text)
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
        """Writes the pixels of an image file into a picture: those that are kept, or decoded and kept from now on.

        Args:
            path: Of the image file.
            picture: To write; one of another shape than the cache's is decoded.
            decode: Reads the file itself into a picture.

        Returns:
            Whether they had been kept.
        """
        slot = self._slot(path) if picture.shape == self.shape and picture.flags.c_contiguous else None
        identity = 0 if slot is None else self._identity(slot, path)
        if slot is None or not identity:
            decode(path, picture)
            return False
        if self._load(slot, identity, picture):
            return True
        decode(path, picture)
        self._store(slot, identity, picture)
        return False

    @property
    def num_bytes_on_disk(self) -> int:
        """What the records take: a sparse file holds no more than was written."""
        return os.fstat(self._descriptor).st_blocks * 512 if self._is_open else 0

    @property
    def _is_open(self) -> bool:
        return self._descriptor >= 0

    def _open(self) -> None:
        self._identities = np.zeros(len(self._files), dtype=np.uint64)  # 0: not looked at yet in this process
        self._descriptor = -1
        size = len(self._files) * self._stride
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_or_make(self.folder / "records")
        try:
            if os.fstat(descriptor).st_size < size:  # new, or cut off
                os.ftruncate(descriptor, size)
            memory = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._closes = weakref.finalize(self, os.close, descriptor)
        self._records = np.frombuffer(memory, dtype=np.uint8).reshape(len(self._files), self._stride)

    def _slot(self, path: str) -> int | None:
        digest = np.uint64(_path_digest(path))
        slot = int(self._files.searchsorted(digest))
        return slot if self._is_open and slot < len(self._files) and self._files[slot] == digest else None

    def _identity(self, slot: int, path: str) -> int:
        """A digest of what the file is; 0 where it cannot be looked at, and decoding will tell why."""
        identity = int(self._identities[slot])
        if not identity:
            try:
                found = os.stat(path)  # noqa: PTH116 - of every sample
            except OSError:
                return 0
            identity = _digest(b"%s\0%d\0%d" % (_absolute(path), found.st_size, found.st_mtime_ns)) or 1
            self._identities[slot] = identity
        return identity

    def _load(self, slot: int, identity: int, picture: Picture) -> bool:
        # A seal that a call finds was written after its pixels, so the map has them: neither a file that was cut off
        # nor a hole in a full memory file system is touched.
        seal = os.pread(self._descriptor, _SEAL_BYTES, slot * self._stride + self._num_bytes)
        if not any(seal) or len(seal) < _SEAL_BYTES:
            return False
        picture.reshape(-1)[:] = self._records[slot, : self._num_bytes]
        return _seal(identity, picture) == seal

    def _store(self, slot: int, identity: int, picture: Picture) -> None:
        if self.failure is not None:
            return
        try:
            written = os.pwritev(self._descriptor, [picture.data, _seal(identity, picture)], slot * self._stride)
            if written < self._num_bytes + _SEAL_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Goes on without keeping more; of all processes of a run, one says so."""
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
        left_here = ("_identities", "_descriptor", "_closes", "_records")
        return {name: value for name, value in self.__dict__.items() if name not in left_here}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        try:
            self._open()
        except OSError as error:
            self._give_up(error)


def open_caches(root: Path, name: str, cached: Iterable[Any]) -> None:
    """Gives sequences of one source their caches; those that read the same pixels share one.

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
        if not hasattr(sequence, "use_cache"):
            able = [other for other in sequences.names() if hasattr(sequences.get(other).load(), "use_cache")]
            raise ConfigError(
                f"cache: the sequence '{name}' decodes nothing that could be kept",
                expected=one_of(able),
                fix="remove `cache`",
            )
        if files is None:
            files = path_digests(sequence.source[index]["path"] for index in range(len(sequence.source)))
        key = json.dumps([sequence.shaped_by, sequence.read_shape])
        if key not in opened:
            opened[key] = PictureCache(root, sequence.shaped_by, sequence.read_shape, files)
        sequence.use_cache(opened[key])


def path_digests(paths: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Eight bytes for each path, sorted, each once: a record's place is that of its path's digest."""
    return np.unique(np.fromiter((_path_digest(path) for path in paths), dtype=np.uint64))


def _path_digest(path: str) -> int:
    return _digest(os.fsencode(path))


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), sys.byteorder)


def _absolute(path: str) -> bytes:
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 - keeps links as they are


def _seal(identity: int, picture: Picture) -> bytes:
    """What proves a record: a sum over the pixels in words of 8 bytes, tied to the file that they came from.

    A sum finds what happens to files: pages that were never written, or are another version's. 150 KB take 0.01 ms,
    where a CRC would take 0.1.
    """
    flat = picture.reshape(-1)
    whole = len(flat) // 8 * 8
    total = int(flat[:whole].view(np.uint64).sum()) + int.from_bytes(flat[whole:].tobytes(), sys.byteorder)
    return ((identity + total * _SPREAD) % 2**64 or 1).to_bytes(_SEAL_BYTES, sys.byteorder)


def _open_or_make(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # another person's, prepared ahead


def _write_whole(path: Path, text: str) -> None:
    if path.exists():
        return
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.ExitStack() as undo:
        undo.callback(temporary.unlink, missing_ok=True)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
