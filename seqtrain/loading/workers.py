"""Workers that make batches: threads of the run, or a process for each thread.

Each thread of a stream has a worker. `LocalWorker` calls the sequence; `ProcessWorker` sends the task to its own
process, and waits for it. A process that dies is replaced and the task is repeated, a limited number of times; a
process that hangs is killed.
"""

from __future__ import annotations

import logging
import pickle
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from seqtrain.errors import SeqtrainError, WorkerError
from seqtrain.global_random import SeededBatches
from seqtrain.loading.bad_samples import BadSample, write_rows
from seqtrain.loading.batch_errors import unforeseen
from seqtrain.loading.memory import Layout, SharedBuffers, SharedFile, aligned
from seqtrain.loading.pending_batch import RowRange
from seqtrain.loading.worker_process import SharedSequence, Task
from seqtrain.loading.worker_server import ServerDiedError, WorkerProcess, WorkerServer
from seqtrain.structure import map_structure

_MOST_ATTEMPTS = 3
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class WorkerOptions:
    """The number and kind of workers of a stream.

    Args:
        count: The number of workers; 0 makes each batch when it is taken.
        processes: Whether each worker is a process instead of a thread.
        max_queue_size: How many batches may be prefetched, including those that are being made.
        timeout_s: Seconds after which a batch counts as hung.
        imports: The files and modules of the config, which worker processes import first.
    """

    count: int
    processes: bool = False
    max_queue_size: int = 10
    timeout_s: float = 600.0
    imports: tuple[str, ...] = ()


class Worker(Protocol):
    """Makes row ranges of batches, one at a time."""

    def make(self, part: RowRange) -> tuple[BadSample, ...]:
        """Writes rows, or makes a whole batch and stores it in `part.batch`; returns the samples that were replaced."""


class LocalWorker:
    """Makes batches in this process, for all threads of a stream.

    Args:
        sequence: The sequence that makes the batches.
        num_threads: The number of threads that call `make`.
    """

    def __init__(self, sequence: Any, num_threads: int = 1) -> None:
        self._sequence = sequence
        tells = num_threads > 1 and sequence.training  # once in a run, though validation draws too
        self._batches = SeededBatches(sequence, self._tell_draws if tells else None)

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
            batch.batch = self._batches.batch(batch.epoch, batch.index)
            return ()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise unforeseen(str(part), error) from error

    def _tell_draws(self) -> None:
        log.warning(
            "%s draws from the global random generators, which threads share: so its batches are made one at a time, "
            "each with its own random numbers. Processes (fit.use_multiprocessing) make several at once.",
            self._sequence.owner_name,
        )


class WorkerPool:
    """The worker processes of a stream, with the sequence that they share.

    Args:
        sequence: The sequence that makes the batches.
        imports: Files and modules to import before the sequence is unpickled.
        buffers: Shared memory for the batches.
        timeout_s: Seconds that a row range may take.

    Raises:
        WorkerError: when the sequence cannot be pickled.
    """

    def __init__(self, sequence: Any, imports: Sequence[str], buffers: SharedBuffers, timeout_s: float) -> None:
        self.buffers = buffers
        self.timeout_s = timeout_s
        self._sequence = sequence
        self._workers: list[ProcessWorker] = []
        self._file: SharedFile | None = None
        self.shared_sequence = self._share(0)
        self.server = WorkerServer.shared(imports)
        self._is_released = False
        self.closed = False

    def worker(self) -> ProcessWorker:
        """Creates another worker; its process starts with its first task."""
        self._workers.append(ProcessWorker(self))
        return self._workers[-1]

    def sequence_changed(self) -> None:
        """Sends the changed sequence to the workers."""
        self.shared_sequence = self._share(self.shared_sequence.version + 1)

    def kill(self) -> None:
        """Kills the processes; a thread that waits for one gets an error."""
        self.closed = True
        self.server.stop_starting()
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        """Frees the shared memory, after `kill`, when no thread waits for a process."""
        for worker in self._workers:
            worker.bury()
        if not self._is_released:
            self.server.release()
            self._is_released = True
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
    """Makes batches in a separate process.

    Args:
        pool: The pool of this worker.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._process: WorkerProcess | None = None
        self._connection: Connection | None = None
        self._starting = threading.Lock()

    def make(self, part: RowRange) -> tuple[BadSample, ...]:
        """See `Worker`.

        Raises:
            SeqtrainError: what the sequence raised, or with its traceback what it did not foresee.
            WorkerError: when the process died several times for this row range, or hung.
        """
        statuses: list[str] = []
        while len(statuses) < _MOST_ATTEMPTS:
            try:
                reply = self._ask(part)
            except (EOFError, ConnectionError) as error:
                status = self.bury()
                statuses.append(_how_ended(error.code) if isinstance(error, ServerDiedError) else status)
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
        """Kills the process."""
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
        """Waits for the reply of the process, and kills it if the reply is late."""
        if not connection.poll(timeout_s):
            self.kill()
            self.bury()
            raise TimeoutError
        reply = connection.recv()
        if isinstance(reply, SeqtrainError):
            raise reply
        return reply

    def _start(self) -> Connection:
        if self._pool.closed:
            raise EOFError
        process, connection = self._pool.server.start()
        with self._starting:
            self._process, self._connection = process, connection
        if self._pool.closed:  # since then, without this process
            self.kill()
            raise EOFError
        return connection

    def bury(self) -> str:
        """Waits for a killed or dead process, and describes how it ended."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is None:
            return "never started"
        code = self._process.wait()
        self._process = None
        return _how_ended(code)


def _how_ended(code: int) -> str:
    if code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return f"exited with {code}"
