"""Who makes batches: the run's own threads, or a process for each of them.

Each thread of a stream has a worker. `LocalWorker` calls the sequence; `ProcessWorker` has its own process do so, and
waits for it. A process that dies is replaced and asked again, a bounded number of times; one that hangs is killed.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Protocol

import seqtrain
from seqtrain.errors import SeqtrainError, WorkerError
from seqtrain.global_random import seeded_globals
from seqtrain.loading.bad_samples import BadSample, write_rows
from seqtrain.loading.batch_errors import unforeseen
from seqtrain.loading.memory import Layout, SharedBuffers, SharedFile, aligned
from seqtrain.loading.pending_batch import RowRange
from seqtrain.loading.worker_process import SharedSequence, Task
from seqtrain.randomness import batch_seed
from seqtrain.structure import map_structure

_MOST_ATTEMPTS = 3
_START_S = 600.0  # of a process: what a user's file imports may take long on a busy machine
_PROGRAM = "from seqtrain.loading.worker_process import main; main()"
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class WorkerOptions:
    """Who makes the batches of a stream.

    Args:
        count: How many; 0 makes each batch when it is taken.
        processes: Whether each is a process rather than a thread.
        max_queue_size: How many batches may be made, or in the making, ahead of the consumer.
        timeout_s: How long a batch may take before it counts as hung.
        imports: What worker processes import first: the files and modules of the config.
    """

    count: int
    processes: bool = False
    max_queue_size: int = 10
    timeout_s: float = 600.0
    imports: tuple[str, ...] = ()


class Worker(Protocol):
    """Makes parts of batches, one at a time."""

    def make(self, part: RowRange) -> tuple[BadSample, ...]:
        """Writes rows, or makes a whole batch and puts it into `part.batch`; returns the samples that were replaced."""


class LocalWorker:
    """Makes batches in this process.

    Args:
        alone: Whether it is the only worker, so that a class that draws from the global random generators can have
            them seeded for each batch, as in a worker process.
    """

    def __init__(self, alone: bool = False) -> None:
        self._alone = alone

    def make(self, part: RowRange) -> tuple[BadSample, ...]:
        """See `Worker`.

        Raises:
            SeqtrainError: what the sequence raised, or with its traceback what it did not foresee.
        """
        batch = part.batch
        try:
            if part.samples is not None:
                own = slice(part.start, part.start + len(part.samples))
                rows = map_structure(lambda array: array[own], batch.rows)
                return write_rows(batch.sequence, part.samples, batch.epoch, rows)
            seed = batch_seed(batch.sequence.seed, batch.epoch, batch.index)
            with seeded_globals(seed) if self._alone else contextlib.nullcontext():
                batch.batch = batch.sequence.batch(batch.epoch, batch.index)
            return ()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise unforeseen(str(part), error) from error


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
        self._workers: list[ProcessWorker] = []
        self._file: SharedFile | None = None
        self.shared_sequence = self._share(0)
        self.closed = False

    def worker(self) -> ProcessWorker:
        """One more worker; its process starts with its first task."""
        self._workers.append(ProcessWorker(self))
        return self._workers[-1]

    def sequence_changed(self) -> None:
        """Gives the workers the sequence as it is now."""
        self.shared_sequence = self._share(self.shared_sequence.version + 1)

    def kill(self) -> None:
        """Ends the processes at once; whoever waits for one gets an error."""
        self.closed = True
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        """Frees what the processes used, after `kill`, when nobody waits for one."""
        for worker in self._workers:
            worker.bury()
        if self._file is not None:
            self._file.close()

    def _share(self, version: int) -> SharedSequence:
        arrays: list[pickle.PickleBuffer] = []
        try:
            pickled = pickle.dumps(self._sequence, protocol=5, buffer_callback=arrays.append)
        except Exception as error:
            raise WorkerError(
                f"the sequence cannot be sent to worker processes: {type(error).__name__}: {error}",
                fix="leave open files, locks and lambdas out of it (`__getstate__`), "
                "or set fit.use_multiprocessing to false",
            ) from error
        blocks = [memoryview(pickled), *(array.raw() for array in arrays)]
        parts, end = [], 0
        for block in blocks:
            parts.append((end, end + len(block)))
            end += aligned(len(block))
        file = SharedFile(end)
        with file.map() as memory:
            for (start, stop), block in zip(parts, blocks, strict=True):
                memory[start:stop] = block
        if self._file is not None:
            self._file.close()
        self._file = file
        return SharedSequence(version, file.path, tuple(parts))


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

    def make(self, part: RowRange) -> tuple[BadSample, ...]:
        """See `Worker`.

        Raises:
            SeqtrainError: what the sequence raised, or with its traceback what it did not foresee.
            WorkerError: when the process died several times over the part, or hung.
        """
        statuses: list[str] = []
        while len(statuses) < _MOST_ATTEMPTS:
            try:
                reply = self._ask(part)
            except (EOFError, ConnectionError):
                statuses.append(self.bury())
                if self._pool.closed:
                    raise WorkerError("the loader is closed") from None
                if len(statuses) < _MOST_ATTEMPTS:
                    log.warning("%s: its worker process died (%s) and is replaced", part, statuses[-1])
                continue
            if isinstance(reply, Layout):
                part.batch.batch = self._pool.buffers.adopt(part.batch.buffer, reply)
                return ()
            bad: tuple[BadSample, ...] = reply
            return bad
        raise WorkerError(
            f"{part}: its worker process died {_MOST_ATTEMPTS} times",
            received=", ".join(dict.fromkeys(statuses)),
            fix="look for a crash in the code that reads these samples; signal 9 often means that memory ran out: "
            "lower fit.workers or batch_size",
        )

    def kill(self) -> None:
        """Ends the process at once."""
        with self._starting:
            if self._process is not None:
                self._process.kill()

    def _ask(self, part: RowRange) -> Any:
        pool, batch = self._pool, part.batch
        connection = self._connection or self._start()
        task = Task(
            pool.shared_sequence,
            batch.epoch,
            batch.index,
            batch.buffer.path,
            pool.buffers.layout,
            part.samples,
            part.start,
        )
        connection.send(task)
        try:
            return self._reply(connection, pool.timeout_s)
        except TimeoutError:
            raise WorkerError(
                f"{part}: not made within {pool.timeout_s:g} seconds",
                fix="look for a hang in the code that reads these samples, or raise fit.worker_timeout_s",
            ) from None

    def _reply(self, connection: Connection, timeout_s: float) -> Any:
        """What the process answers; one that does not in time is killed."""
        if not connection.poll(timeout_s):
            self.kill()
            self.bury()
            raise TimeoutError
        reply = connection.recv()
        if isinstance(reply, SeqtrainError):
            raise reply
        return reply

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
        try:
            self._reply(ours, _START_S)
        except TimeoutError:
            raise WorkerError(
                f"a worker process has not started within {_START_S:g} seconds",
                fix="look for a hang in the files of `imports`",
            ) from None
        return ours

    def bury(self) -> str:
        """Waits for a killed or dead process, and says how it died."""
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


def _environment() -> Mapping[str, str]:
    """The environment of a worker, which finds this package, keeps off the GPU, and computes in one thread."""
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
