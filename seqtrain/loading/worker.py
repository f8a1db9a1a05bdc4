"""A worker process: writes samples into memory that it shares with the run, until the run is gone.

It is started as a fresh interpreter, never as a fork of a process that runs TensorFlow, and imports what the sequence
needs, which for the project's own is neither Keras nor TensorFlow: about 0.2 seconds and some tens of MB.

It is asked, one message at a time over a pipe, to write rows of a batch (`Write`), or to make a whole one (`Make`)
where the sequence knows no rows. Arrays stay in the shared memory; only their layout, and which samples were replaced,
travels back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import SeqtrainError
from seqtrain.global_random import seeded_globals
from seqtrain.loading.bad_samples import BadSample, write_rows
from seqtrain.loading.buffers import Layout
from seqtrain.loading.shared_file import map_shared
from seqtrain.randomness import batch_seed
from seqtrain.structure import FieldSpec, map_structure, named_leaves
from seqtrain.user_files import load_file

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Payload:
    """The sequence, pickled into shared memory; its arrays stay there, one copy for all workers.

    Args:
        version: Changes when the sequence has changed.
        path: Of the shared file.
        parts: Where the pickle (first) and its arrays begin and end in the file.
    """

    version: int
    path: str
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Write:
    """Write the rows from `start` on of a batch.

    Args:
        payload: The sequence.
        epoch: Of the batch.
        indices: The samples, one for each row.
        start: The first row.
        slot: The path of the shared file that holds the batch.
        layout: Of the full batch in it.
    """

    payload: Payload
    epoch: int
    indices: npt.NDArray[np.integer]
    start: int
    slot: str
    layout: Layout


@dataclass(frozen=True)
class Make:
    """Make a whole batch, lay it out in a slot, and say how.

    Args:
        payload: The sequence.
        epoch: Of the batch.
        index: Of the batch in the epoch.
        slot: The path of the shared file that takes it; made longer if need be.
    """

    payload: Payload
    epoch: int
    index: int
    slot: str


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker.

    Args:
        error: The exception, where it is one of ours.
        kind: The exception's type.
        message: Its words.
        trace: The worker's own traceback.
    """

    error: SeqtrainError | None
    kind: str
    message: str
    trace: str


def main() -> None:
    """Serves the run that started it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the run decides when its workers end
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    connection = Connection(int(sys.argv[1]))
    if os.getppid() != int(sys.argv[2]):
        return
    with contextlib.suppress(EOFError, ConnectionError):
        sys.path[:], imports = connection.recv()
        connection.send(_imported(imports))
        worker = _Worker()
        while True:
            connection.send(worker.serve(connection.recv()))


def _imported(names: list[str]) -> Failure | None:
    """Imports what registers the sequence's parts."""
    try:
        for name in names:
            if name.endswith(".py"):
                load_file(Path(name))
            else:
                __import__(name)
    except BaseException as error:
        return _failure(error)
    return None


def _failure(error: BaseException) -> Failure:
    ours = error if isinstance(error, SeqtrainError) else None
    return Failure(ours, type(error).__name__, str(error), traceback.format_exc().rstrip())


class _Worker:
    def __init__(self) -> None:
        self._version: int | None = None
        self._sequence: Any = None
        self._maps: dict[str, Any] = {}

    def serve(self, request: Write | Make) -> Layout | Failure | tuple[BadSample, ...]:
        try:
            self._load(request.payload)
            return self._make(request) if isinstance(request, Make) else self._write(request)
        except BaseException as error:
            return _failure(error)

    def _load(self, payload: Payload) -> None:
        if payload.version == self._version:
            return
        memory = memoryview(map_shared(payload.path, payload.parts[-1][1], private=True))
        pickled, *arrays = (memory[begin:end] for begin, end in payload.parts)
        self._sequence = pickle.loads(pickled, buffers=arrays)
        self._version = payload.version

    def _write(self, request: Write) -> tuple[BadSample, ...]:
        full = request.layout.arrays(self._memory(request.slot, request.layout.size))
        part = slice(request.start, request.start + len(request.indices))
        rows = map_structure(lambda array: array[part], full)
        return write_rows(self._sequence, request.indices, request.epoch, rows)

    def _make(self, request: Make) -> Layout:
        with seeded_globals(batch_seed(self._sequence.seed, request.epoch, request.index)):
            batch = self._sequence.batch(request.epoch, request.index)
        for name, array in named_leaves(batch):
            if array.dtype.hasobject:
                raise TypeError(f"{name} holds Python objects, which cannot be shared between processes")
        layout = Layout.of(map_structure(lambda array: FieldSpec(array.shape, array.dtype.str), batch))
        rows = layout.arrays(self._memory(request.slot, layout.size))
        map_structure(np.copyto, rows, batch)
        return layout

    def _memory(self, path: str, size: int) -> Any:
        if path not in self._maps or len(self._maps[path]) < size:
            self._maps[path] = map_shared(path, size)
        return self._maps[path]
