"""A worker process: writes samples into memory that it shares with the run, until the run ends.

It imports only the modules of the sequence, or is forked from a server that has: see `worker_server`. The project's
own sequences import neither Keras nor TensorFlow: about 0.2 seconds and some tens of MB.

It receives one `Task` at a time over a pipe: to write rows of a batch, or to make a whole batch if the sequence cannot
write single rows. Arrays stay in the shared memory. The reply contains the samples that were replaced, the layout of a
whole batch, or an error.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
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
from seqtrain.user_files import IMPORT_PREFIX, load_file

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
    """Runs tasks for the run that started this process, or forks processes that do."""
    role, descriptor, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connection = Connection(descriptor)
    for number in (signal.SIGINT, signal.SIGTERM):  # the run stops its workers
        signal.signal(number, signal.SIG_IGN)
    if role == "worker":  # a server ends with the connection: the thread that started it may end before the run
        _die_with_parent(parent)
    with contextlib.suppress(EOFError, ConnectionError):
        sys.path[:], imports = connection.recv()
        error = _import(imports)
        threads = Path("/proc/self/task")  # those of libraries too, which Python does not know
        can_fork = threads.is_dir() and len(list(threads.iterdir())) == 1
        connection.send(error or can_fork)
        if role == "server" and error is None and can_fork:
            _fork_workers(connection)
        else:
            _run_tasks(connection)


def _die_with_parent(parent: int) -> None:
    """Ends this process when the thread that started it does."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _fork_workers(control: Connection) -> None:
    """Forks a worker for each connection that is sent, and waits for those whose exit code is asked for."""
    gc.freeze()  # or collections in the workers would copy the memory that they share
    server = os.getpid()
    while True:
        pid = control.recv()
        if pid is not None:
            try:
                control.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            except ChildProcessError:  # asked for twice
                control.send(-signal.SIGKILL)
            continue
        descriptor = recv_handle(control)
        pid = os.fork()
        if pid == 0:
            control.close()
            _die_with_parent(server)
            _reseed_unseeded_generators()
            with contextlib.suppress(EOFError, ConnectionError):
                _run_tasks(Connection(descriptor))
            os._exit(0)
        os.close(descriptor)
        control.send(pid)


def _reseed_unseeded_generators() -> None:
    """Gives NumPy generators that modules hold, and that were made without a seed, numbers of their own here."""
    held = [
        value
        for name, module in list(sys.modules.items())
        if name.startswith(IMPORT_PREFIX)
        for value in vars(module).values()
    ]
    for value in held:
        if isinstance(value, np.random.Generator):
            sequence = value.bit_generator.seed_seq
            if isinstance(sequence, np.random.SeedSequence) and _is_from_system(sequence.entropy):
                value.bit_generator.state = type(value.bit_generator)().state


def _is_from_system(entropy: Any) -> bool:
    """Whether NumPy has asked the system for a seed: it then has 128 bits."""
    return isinstance(entropy, int) and entropy >= 1 << 64


def _run_tasks(connection: Connection) -> None:
    tasks = _Tasks()
    while True:
        connection.send(tasks.answer(connection.recv()))


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


class _Tasks:
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
