"""Who makes batches: the run's own threads, or a process for each of them.

A stream's threads each have a maker. `LocalWorker` calls the sequence; `ProcessWorker` asks its own worker process to,
and waits. A process that dies is replaced and asked again, a bounded number of times; one that hangs is killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import seqtrain
from seqtrain.errors import ResourceError, SeqtrainError, WorkerError
from seqtrain.global_random import seeded_globals
from seqtrain.loading.bad_samples import BadSample, write_rows
from seqtrain.loading.buffers import Buffer, Layout, SharedBuffers
from seqtrain.loading.shared_file import SharedFile
from seqtrain.loading.worker import Failure, Make, Payload, Write
from seqtrain.randomness import batch_seed
from seqtrain.structure import map_structure

_MOST_ATTEMPTS = 3
_START_S = 600.0  # of a process: what a user's file imports may take long on a busy machine
_MOST_NAMED = 8
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class RowRange:
    """A part of a batch to make: some of its rows, or all of it.

    Args:
        sequence: What it is a batch of.
        epoch: Of the batch.
        index: Of the batch in the epoch.
        buffer: Its memory.
        indices: The samples of the rows; None for the whole batch of a sequence that knows no rows.
        start: The first row.
    """

    sequence: Any
    epoch: int
    index: int
    buffer: Buffer
    indices: npt.NDArray[np.integer] | None = None
    start: int = 0

    @property
    def name(self) -> str:
        """What messages call it."""
        return _name(self.sequence, self.epoch, self.index, self.indices, _MOST_NAMED)


@dataclass(frozen=True)
class Written:
    """What became of a part.

    Args:
        batch: The whole batch of a sequence that knows no rows; None where rows were written.
        bad: The samples that were replaced, in the order of the rows.
    """

    batch: tuple[Any, ...] | None = None
    bad: tuple[BadSample, ...] = ()


def describe_batch(sequence: Any, epoch: int, index: int, most: int = _MOST_NAMED) -> str:
    """What messages call a batch: its number, and its samples with their files as far as they are known.

    Args:
        sequence: What it is a batch of.
        epoch: Of the batch.
        index: Of the batch in the epoch.
        most: How many samples are named.
    """
    return _name(sequence, epoch, index, sequence.sample_indices(epoch, index), most)


def _name(sequence: Any, epoch: int, index: int, indices: npt.NDArray[np.integer] | None, most: int) -> str:
    batch = f"batch {index} of epoch {epoch}"
    if indices is None:
        return batch
    named = [f"{sample}: {sequence.describe(sample)}" for sample in indices[:most].tolist()]
    more = len(indices) - len(named)
    return f"{batch} (samples {', '.join(named)}{f' and {more} more' if more else ''})"


class Worker(Protocol):
    """Makes parts of batches for one thread."""

    def make(self, part: RowRange) -> Written:
        """Writes rows, or makes a whole batch."""


class LocalWorker:
    """Makes batches in this process.

    Args:
        sequence: What they are batches of.
        alone: Whether it is the only one, so that a class that draws from the global random generators can have them
            seeded for each batch, as in a worker process.
    """

    def __init__(self, sequence: Any, alone: bool = False) -> None:
        self._sequence = sequence
        self._alone = alone

    def make(self, part: RowRange) -> Written:
        """Writes rows, or makes a whole batch.

        Raises:
            SeqtrainError: what the sequence raised, or with its traceback what it did not foresee.
        """
        try:
            if part.indices is None:
                seed = batch_seed(self._sequence.seed, part.epoch, part.index)
                with seeded_globals(seed) if self._alone else contextlib.nullcontext():
                    return Written(self._sequence.batch(part.epoch, part.index))
            own = slice(part.start, part.start + len(part.indices))
            rows = map_structure(lambda array: array[own], part.buffer.rows)
            return Written(bad=write_rows(self._sequence, part.indices, part.epoch, rows))
        except (SeqtrainError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise unforeseen(part.name, type(error).__name__, str(error), traceback.format_exc()) from error


class WorkerPool:
    """The worker processes of a stream, and the sequence as they see it.

    Args:
        sequence: What they make batches of.
        imports: Files and modules that register what the sequence is made of.
        buffers: Memory that they share.
        timeout_s: How long a part of a batch may take.

    Raises:
        WorkerError: when the sequence cannot be pickled.
    """

    def __init__(self, sequence: Any, imports: Sequence[str], buffers: SharedBuffers, timeout_s: float) -> None:
        self.imports = list(imports)
        self.buffers = buffers
        self.timeout_s = timeout_s
        self._sequence = sequence
        self._makers: list[ProcessWorker] = []
        self._file: SharedFile | None = None
        self.payload = self._share(0)
        self.closed = False

    def worker(self) -> ProcessWorker:
        """One more worker; its process starts with its first task."""
        maker = ProcessWorker(self)
        self._makers.append(maker)
        return maker

    def sequence_changed(self) -> None:
        """Gives the workers the sequence as it is now."""
        self.payload = self._share(self.payload.version + 1)

    def kill(self) -> None:
        """Ends the processes at once; who waits for one is told."""
        self.closed = True
        for maker in self._makers:
            maker.kill()

    def close(self) -> None:
        """Gives up what the processes used; they have been killed, and nobody waits for one."""
        for maker in self._makers:
            maker.bury()
        if self._file is not None:
            self._file.close()

    def _share(self, version: int) -> Payload:
        arrays: list[pickle.PickleBuffer] = []
        try:
            pickled = pickle.dumps(self._sequence, protocol=5, buffer_callback=arrays.append)
        except Exception as error:
            raise WorkerError(
                f"the sequence cannot be sent to worker processes: {type(error).__name__}: {error}",
                fix="leave open files, locks and lambdas out of it (`__getstate__`), "
                "or set fit.use_multiprocessing to false",
            ) from error
        blocks: list[Any] = [pickled, *(array.raw() for array in arrays)]
        ends = np.cumsum([-(-len(block) // 64) * 64 for block in blocks]).tolist()
        parts = tuple((end - -(-len(block) // 64) * 64, block) for end, block in zip(ends, blocks, strict=True))
        file = SharedFile(ends[-1])
        with file.map() as memory:
            for begin, block in parts:
                memory[begin : begin + len(block)] = bytes(block) if isinstance(block, bytes) else block
        if self._file is not None:
            self._file.close()
        self._file = file
        return Payload(version, file.path, tuple((begin, begin + len(block)) for begin, block in parts))


class ProcessWorker:
    """Makes batches in a process of its own.

    Args:
        pool: What it belongs to.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._starting = threading.Lock()

    def make(self, part: RowRange) -> Written:
        """Writes rows, or makes a whole batch.

        Raises:
            SeqtrainError: what the sequence raised.
            WorkerError: when the process died several times over the part, or hung, or raised what is not ours.
        """
        statuses: list[str] = []
        while len(statuses) < _MOST_ATTEMPTS:
            try:
                reply = self._ask(self._request(part), part.name)
            except (EOFError, ConnectionError):
                statuses.append(self.bury())
                if self._pool.closed:
                    raise WorkerError("the loader is closed") from None
                if len(statuses) < _MOST_ATTEMPTS:
                    log.warning("%s: its worker process died (%s) and is replaced", part.name, statuses[-1])
                continue
            return self._done(reply, part)
        raise WorkerError(
            f"{part.name}: its worker process died {_MOST_ATTEMPTS} times",
            received=", ".join(dict.fromkeys(statuses)),
            fix="look for a crash in the code that reads these samples; signal 9 often means that memory ran out: "
            "lower fit.workers or batch_size",
        )

    def kill(self) -> None:
        """Ends the process at once."""
        with self._starting:
            if self._process is not None:
                self._process.kill()

    def _request(self, part: RowRange) -> Write | Make:
        slot = self._pool.buffers.path(part.buffer.slot)
        if part.indices is None:
            return Make(self._pool.payload, part.epoch, part.index, slot)
        layout = self._pool.buffers.layout
        return Write(self._pool.payload, part.epoch, part.indices, part.start, slot, layout)

    def _ask(self, request: Write | Make, name: str) -> Any:
        connection = self._connection or self._start()
        connection.send(request)
        return self._reply(
            connection,
            self._pool.timeout_s,
            f"{name}: not made within {self._pool.timeout_s:g} seconds",
            "look for a hang in the code that reads these samples, or raise fit.worker_timeout_s",
        )

    def _reply(self, connection: Connection, timeout_s: float, late: str, fix: str) -> Any:
        """What the process answers; one that does not in time is killed."""
        if not connection.poll(timeout_s):
            self.kill()
            self.bury()
            raise WorkerError(late, fix=fix)
        return connection.recv()

    def _done(self, reply: Any, part: RowRange) -> Written:
        _raise_failure(reply, part.name)
        if isinstance(reply, Layout):
            return Written(self._pool.buffers.adopt(part.buffer, reply))
        return Written(bad=reply)

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        with self._starting:
            if self._pool.closed:
                raise EOFError
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(os.getpid())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=2,  # stdout belongs to the command's own document
                env=_environment(),
            )
        theirs.close()
        self._connection = ours
        ours.send((sys.path, self._pool.imports))
        started = self._reply(
            ours,
            _START_S,
            f"a worker process has not started within {_START_S:g} seconds",
            "look for a hang in the files of `imports`",
        )
        _raise_failure(started, "what a worker process imports")
        return ours

    def bury(self) -> str:
        """Forgets a dead process; says how it died."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is None:
            return "never started"
        code = self._process.wait()
        self._process = None
        if code < 0:
            return f"killed by signal {-code} ({signal.Signals(-code).name})"
        return f"exited with {code}"


def _raise_failure(reply: Any, what: str) -> None:
    if isinstance(reply, Failure):
        if reply.error is not None:
            raise reply.error
        raise unforeseen(what, reply.kind, reply.message, reply.trace)


_PROGRAM = "from seqtrain.loading.worker import main; main()"


def _environment() -> Mapping[str, str]:
    """Of a worker: finds this package, keeps off the GPU, and computes in one thread."""
    package = str(Path(seqtrain.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **single,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def unforeseen(what: str, kind: str, message: str, trace: str) -> SeqtrainError:
    """An exception that a sequence did not foresee, with its traceback: mostly a mistake in a user's own class."""
    if kind.endswith("MemoryError"):  # NumPy has one of its own
        return ResourceError(
            f"{what}: out of memory: {message}", fix="lower batch_size, fit.workers or fit.max_queue_size"
        )
    return WorkerError(
        f"{what} could not be made: {kind}: {message}",
        received=trace.rstrip().replace("\n", "\n  "),
        fix="mend the line that the traceback ends in",
    )
