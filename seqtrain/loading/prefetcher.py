"""Where a stream's batches are made: by threads that run ahead of the consumer, or on demand.

Workers open the next position, write the rows of its batch part by part, and put it down; the consumer fetches batches
in order.

    next position ──► open: memory, samples ──► parts of rows ──► made {position: batch} ──► fetch(position), in order
          └──────────── never more than max_queue_size ahead of the consumer ───────────┘

All workers write parts of the earliest batch that is open, so that a slow sample keeps one of them and not the rest. A
part costs about 20 microseconds besides its samples.

A sequence that changes in `on_epoch_end` (a class written for Keras) is a barrier: its next epoch begins when all
batches of the former are made, and `on_epoch_end` has run once.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqtrain.errors import SeqtrainError, WorkerError
from seqtrain.loading.buffers import Buffer, HeapBuffers, SharedBuffers
from seqtrain.loading.pending_batch import PendingBatch, PendingBatches, Schedule, told
from seqtrain.loading.worker_pool import LocalWorker, RowRange, Worker, WorkerPool

_CLOSING_S = 2.0
_PARTS_PER_WORKER = 4


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


class Prefetcher:
    """Makes the batches of a sequence, ahead of who fetches them.

    Args:
        sequence: A `SampleSequence` or `KerasStyleSequence`, weighted or not.
        schedule: Which (epoch, batch) stands at a position.
        workers: Who makes them.
        start: The position of the first batch.
        end: The position after the last batch, where there is a last.
        num_kept: How many more batches the consumer may hold on to.
    """

    def __init__(
        self, sequence: Any, schedule: Schedule, workers: WorkerOptions, start: int, end: int | None, num_kept: int
    ) -> None:
        self._sequence = sequence
        self._schedule = schedule
        self._workers = workers
        self._end = end
        self._dead_end: PendingBatch | None = None  # the batch from which on none can be made
        self._barrier = bool(sequence.changes_between_epochs)
        self._epoch = sequence.epoch  # the one that every worker has, at a barrier
        spec = sequence.row_spec if sequence.splits_rows else None
        rows = sequence.batch_size if sequence.splits_rows else 1
        most = workers.max_queue_size + workers.count
        self.buffers: HeapBuffers | SharedBuffers
        if workers.processes and workers.count:
            self.buffers = SharedBuffers(spec, rows, most + num_kept)
            self._pool: WorkerPool | None = WorkerPool(sequence, workers.imports, self.buffers, workers.timeout_s)
        else:
            self.buffers = HeapBuffers(spec, rows, most)
            self._pool = None
        self._jobs = PendingBatches(sequence, schedule, self.buffers)
        self._lock = threading.RLock()  # a signal handler may interrupt the thread that holds it
        self._work_changed = threading.Condition(self._lock)
        self._made_changed = threading.Condition(self._lock)
        self._next_position = start  # the first that nobody has opened
        self._next_fetched = start  # the one that the consumer takes next
        self._generation = 0
        self._open: list[PendingBatch] = []
        self._entering = 0  # threads that are opening a position or an epoch
        self._epoch_opened_at: float | None = None
        self._made: dict[int, PendingBatch] = {}
        self._closed = False
        self._interruption: BaseException | None = None
        self._local = LocalWorker(sequence, alone=workers.count <= 1)
        self._threads = [
            threading.Thread(target=self._work, args=(self._maker(),), name=f"seqtrain-loader-{n}", daemon=True)
            for n in range(workers.count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def position(self) -> int:
        """The position that is fetched next."""
        return self._next_fetched

    # What the consumer does.

    def fetch(self, position: int, interruptible: bool) -> PendingBatch:
        """The batch at `position`, which is the next; waits for it, or makes it here and now.

        Raises:
            BaseException: what the prefetcher was interrupted with, where this may be.
        """
        return self._wait_for(position, interruptible) if self._threads else self._make_now(position)

    def interrupt(self, error: BaseException) -> None:
        """Has who waits raise an error; from any thread or signal handler."""
        with self._lock:
            self._interruption = error
            self._made_changed.notify_all()

    def raise_if_interrupted(self) -> None:
        """Raises the error that the prefetcher was interrupted with."""
        if self._interruption is not None:
            raise self._interruption

    def seek(self, position: int) -> None:
        """Goes on at another position; what was made for others is put away."""
        with self._lock:
            self._generation += 1
            for job in self._made.values():
                self.buffers.give_back(job.buffer)
            for job in list(self._open):
                job.next_row = sys.maxsize  # no more of its parts; who writes the last one puts it away
                if not job.parts_in_work:
                    self._open.remove(job)
                    self.buffers.give_back(job.buffer)
            self._made.clear()
            self._next_position = self._next_fetched = position
            self._work_changed.notify_all()

    def memory_freed(self) -> None:
        """Wakes a worker that may be waiting for a buffer."""
        with self._lock:
            self._work_changed.notify()

    def close(self) -> None:
        """Ends the workers: processes at once, threads with the part that they are writing, for up to two seconds."""
        with self._lock:
            self._closed = True
            self._made.clear()
            self._open.clear()
            self._work_changed.notify_all()
            self._made_changed.notify_all()
        if self._pool is not None:
            self._pool.kill()
        deadline = time.monotonic() + _CLOSING_S
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._pool is not None:
            self._pool.close()
        self.buffers.close()

    def _wait_for(self, position: int, interruptible: bool) -> PendingBatch:
        with self._lock:
            while position not in self._made:
                if interruptible:
                    self.raise_if_interrupted()
                if self._closed:
                    raise WorkerError("the loader is closed")
                if self._dead_end is not None and position >= self._dead_end.position:
                    return self._dead_end
                if not self._made_changed.wait(timeout=1.0):
                    self._raise_if_hung()
            job = self._made.pop(position)
            self._next_fetched = position + 1
        return job

    def _raise_if_hung(self) -> None:
        """Threads cannot be killed; a run that would wait for ever can be ended, and told where they stand."""
        if self._epoch_opened_at is not None and time.monotonic() - self._epoch_opened_at > self._workers.timeout_s:
            raise WorkerError(
                f"on_epoch_end has not returned within {self._workers.timeout_s:g} seconds",
                fix="look for a hang in it, or raise fit.worker_timeout_s",
            )
        for job in self._open:
            if self._pool is None and job.threads and time.monotonic() - job.began > self._workers.timeout_s:
                frames = sys._current_frames()
                stacks = ["".join(traceback.format_stack(frames[n])) for n in job.threads if n in frames]
                raise WorkerError(
                    f"{self._jobs.part(job).name}: not made within {self._workers.timeout_s:g} seconds",
                    received="the worker at\n" + "".join(stacks).rstrip(),
                    fix="look for a hang in the code that reads these samples, or raise fit.worker_timeout_s",
                )

    def _make_now(self, position: int) -> PendingBatch:
        self._next_fetched = position + 1
        error = self._enter_epoch(self._schedule(position)[0])
        if error is not None:
            return self._jobs.failed(position, self._generation, error)
        try:
            job = self._jobs.open(position, self._generation, self.buffers.take() or Buffer())
        except MemoryError as raised:
            return self._jobs.without_memory(position, self._generation, raised)
        if job.error is None:
            part = self._jobs.part(job)
            job.next_row = job.num_rows
            self._jobs.write(job, part, self._local)()
        if position + 1 == self._end and job.error is None:
            job.error = self._enter_epoch(self._schedule(self._end)[0])
        return job

    # What the workers do.

    def _maker(self) -> Worker:
        return self._local if self._pool is None else self._pool.worker()

    def _work(self, maker: Worker) -> None:
        while (claimed := self._claim()) is not None:
            job, part = claimed
            add_to_batch = self._jobs.write(job, part, maker)
            with self._lock:
                job.parts_in_work -= 1
                job.threads.discard(threading.get_ident())
                add_to_batch()
                if not job.parts_in_work and not job.has_more_parts:
                    self._put_down(job)

    def _claim(self) -> tuple[PendingBatch, RowRange] | None:
        """The next part to make, once there is one; None when the stream is closed."""
        with self._lock:
            while not self._closed:
                job = next((job for job in self._open if job.has_more_parts), None)
                if job is not None:
                    share = -(-job.num_rows // (_PARTS_PER_WORKER * self._workers.count))
                    least = 1 if job.indices is None else self._sequence.min_part_rows
                    return job, self._jobs.part(job, *job.claim(max(share, least)))
                if not self._open_next():
                    self._work_changed.wait()
        return None

    def _open_next(self) -> bool:
        """Opens the next position or, at a barrier, the next epoch; the lock is released meanwhile."""
        position, generation = self._next_position, self._generation
        epoch, _ = self._schedule(position)
        if self._barrier and self._epoch < epoch:
            if self._open or self._entering:
                return False
            self._unlocked(lambda: self._open_epoch(position, epoch))
            return True
        if self._dead_end is not None or (self._end is not None and position >= self._end):
            return False
        if position - self._next_fetched >= self._workers.max_queue_size:
            return False
        try:
            buffer = self.buffers.take()
        except MemoryError as error:
            self._give_up(self._jobs.without_memory(position, generation, error))
            return False
        if buffer is None:
            return False
        self._next_position += 1
        job = self._unlocked(lambda: self._jobs.open(position, generation, buffer))
        if generation != self._generation:
            self.buffers.give_back(job.buffer)
        elif job.error is not None:
            self._put_down(job)
        else:
            self._open.append(job)
            self._open.sort(key=lambda each: each.position)
            self._work_changed.notify_all()
        return True

    def _unlocked(self, action: Callable[[], Any]) -> Any:
        self._entering += 1
        self._lock.release()
        try:
            return action()
        finally:
            self._lock.acquire()
            self._entering -= 1
            self._work_changed.notify_all()

    def _open_epoch(self, position: int, epoch: int) -> None:
        self._epoch_opened_at = time.monotonic()
        error = self._enter_epoch(epoch)
        self._epoch_opened_at = None
        if error is not None:
            with self._lock:
                self._barrier = False
                self._give_up(self._jobs.failed(position, self._generation, error))

    def _give_up(self, job: PendingBatch) -> None:
        self._dead_end = job
        self._made_changed.notify_all()

    def _enter_epoch(self, epoch: int) -> SeqtrainError | None:
        if not self._barrier or self._epoch >= epoch:
            return None
        try:
            while self._sequence.epoch < epoch:
                self._sequence.on_epoch_end()
            if self._pool is not None:
                self._pool.sequence_changed()
            self._epoch = epoch
        except SeqtrainError as error:
            return error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            name = type(self._sequence.owner).__name__
            return told(error, f"{name}.on_epoch_end after epoch {self._sequence.epoch}: the end of an epoch")
        return None

    def _put_down(self, job: PendingBatch) -> None:
        if job in self._open:
            self._open.remove(job)
        if job.generation == self._generation and not self._closed:
            self._made[job.position] = job
            self._made_changed.notify_all()
        else:
            self.buffers.give_back(job.buffer)
        if self._barrier:
            self._work_changed.notify_all()
