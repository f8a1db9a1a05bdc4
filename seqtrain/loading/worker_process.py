"""A worker process: writes samples into memory that it shares with the run, until the run ends.

It is started as a new interpreter, never forked from a process that runs TensorFlow, and imports only the modules of
the sequence. The project's own sequences import neither Keras nor TensorFlow: about 0.2 seconds and some tens of MB.

It receives one `Task` at a time over a pipe: to write rows of a batch, or to make a whole batch if the sequence cannot
write single rows. Arrays stay in the shared memory. The reply contains the samples that were replaced, the layout of a
whole batch, or an error.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import SeqtrainError
from seqtrain.global_random import SeededBatches
from seqtrain.loading.bad_samples import BadSample, write_rows
from seqtrain.loading.batch_errors import describe_rows, unforeseen
from seqtrain.loading.memory import Layout, map_shared
from seqtrain.structure import FieldSpec, map_structure, named_leaves
from seqtrain.user_files import load_file

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class SharedSequence:
    """The sequence, pickled into shared memory, which holds one copy of its arrays for all workers.

    Args:
        version: Changes when the sequence has changed.
        path: The path of the shared file.
        parts: Start and end in the file of the pickle (first) and of its arrays.
    """

    version: int
    path: str
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Task:
    """Rows of a batch to write, or a whole batch to make.

    Args:
        sequence: The sequence that makes the batch.
        epoch: The batch's epoch.
        index: The batch's number in the epoch.
        path: The path of the shared file for the batch, which is made longer if a whole batch does not fit.
        layout: The layout of a full batch in the file.
        samples: The sample of each row; None for a whole batch.
        start: The first row.
    """

    sequence: SharedSequence
    epoch: int
    index: int
    path: str
    layout: Layout
    samples: npt.NDArray[np.integer] | None
    start: int


Reply = Layout | tuple[BadSample, ...] | SeqtrainError


def main() -> None:
    """Runs tasks for the run that started this process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the run stops its workers
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    connection = Connection(int(sys.argv[1]))
    if os.getppid() != int(sys.argv[2]):
        return
    with contextlib.suppress(EOFError, ConnectionError):
        sys.path[:], imports = connection.recv()
        connection.send(_import(imports))
        server = _Server()
        while True:
            connection.send(server.answer(connection.recv()))


def _import(names: list[str]) -> SeqtrainError | None:
    """Imports what the sequence needs: our sequences, and the user's modules; here it counts for no batch."""
    try:
        for name in ("seqtrain.sequences", *names):
            if name.endswith(".py"):
                load_file(Path(name))
            else:
                __import__(name)
    except BaseException as error:
        return unforeseen("what a worker process imports", error)
    return None


class _Server:
    def __init__(self) -> None:
        self._version: int | None = None
        self._sequence: Any = None
        self._batches = SeededBatches(None)
        self._maps: dict[str, Any] = {}

    def answer(self, task: Task) -> Reply:
        try:
            self._load(task.sequence)
        except BaseException as error:  # there is no sequence yet that could name its samples
            return unforeseen(f"batch {task.index} of epoch {task.epoch}", error)
        try:
            return self._make(task) if task.samples is None else self._write(task, task.samples)
        except BaseException as error:
            return unforeseen(describe_rows(self._sequence, task.epoch, task.index, task.samples), error)

    def _load(self, shared: SharedSequence) -> None:
        if shared.version == self._version:
            return
        memory = memoryview(map_shared(shared.path, shared.parts[-1][1], private=True))
        pickled, *arrays = (memory[begin:end] for begin, end in shared.parts)
        self._sequence = pickle.loads(pickled, buffers=arrays)
        self._batches = SeededBatches(self._sequence)
        self._version = shared.version

    def _write(self, task: Task, samples: npt.NDArray[np.integer]) -> tuple[BadSample, ...]:
        batch = task.layout.arrays(self._memory(task.path, task.layout.size))
        rows = map_structure(lambda array: array[task.start : task.start + len(samples)], batch)
        return write_rows(self._sequence, samples, task.epoch, rows)

    def _make(self, task: Task) -> Layout:
        batch = self._batches.batch(task.epoch, task.index)
        for name, array in named_leaves(batch):
            if array.dtype.hasobject:
                raise TypeError(f"{name} holds Python objects, which cannot be shared between processes")
        layout = Layout.of(map_structure(lambda array: FieldSpec(array.shape, array.dtype.str), batch))
        map_structure(np.copyto, layout.arrays(self._memory(task.path, layout.size)), batch)
        return layout

    def _memory(self, path: str, size: int) -> Any:
        if path not in self._maps or len(self._maps[path]) < size:
            self._maps[path] = map_shared(path, size)
        return self._maps[path]
