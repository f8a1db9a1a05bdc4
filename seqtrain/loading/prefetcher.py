"""Makes the batches of a stream, in worker threads ahead of the consumer, or when they are fetched.

Workers open the batch at the next position, write its rows in ranges, and store it; the consumer fetches the batches in
order.

    next position ──► open: memory, samples ──► parts of rows ──► made {position: batch} ──► fetch(position), in order
          └──────────── never more than max_queue_size ahead of the consumer ───────────┘

All workers write row ranges of the earliest open batch, so a slow sample delays one worker and not the others. A row
range has an overhead of about 20 microseconds.

Waking a thread takes longer than making a cheap batch, and threads that wait for each other make a cheap batch several
times slower. So the first batches are made by one worker, and if they are cheap, it alone refills the queue when it is
half empty, and the consumer is woken when the queue is full again.

For a sequence that changes between epochs (a class written for Keras), the end of an epoch is a barrier: the next epoch
begins when all batches of the previous one are made, and `on_epoch_end` and `on_epoch_begin` have been called once.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal

from seqtrain.errors import SeqtrainError, WorkerError
from seqtrain.loading.bad_samples import BadSample
from seqtrain.loading.batch_errors import unforeseen
from seqtrain.loading.memory import Buffer, HeapBuffers, SharedBuffers
from seqtrain.loading.order import Schedule
from seqtrain.loading.pending_batch import PendingBatch, RowRange
from seqtrain.loading.workers import LocalWorker, Worker, WorkerOptions, WorkerPool

_CLOSING_S = 2.0
_CHECK_S = 1.0  # how often a waiting consumer checks for hung workers
_CHECK_CHEAP_S = 0.01  # the same for cheap batches, for which it is not always woken
_PARTS_PER_WORKER = 4
_CHEAP_S = 2e-4  # time to wake a thread on a busy machine
_WEIGHT_OF_LATEST = 1 / 16
_ALONE_S = 5e-3  # how long the first worker makes batches alone, at most
_NUM_ALONE = 8  # how many batches, at most


class Prefetcher:
    """Makes the batches of a sequence, ahead of the consumer that fetches them.

    Args:
        sequence: A `SampleSequence` or `KerasStyleSequence`, weighted or not.
        schedule: Maps a position to (epoch, batch).
        workers: The options of the workers.
        start: The position of the first batch.
        end: The position after the last batch; None without end.
        num_kept: How many more batches the consumer may keep in use.
    """

    def __init__(
        self, sequence: Any, schedule: Schedule, workers: WorkerOptions, start: int, end: int | None, num_kept: int
    ) -> None:
        self._sequence = sequence
        self._schedule = schedule
        self._workers = workers
        self._end = end
        self._dead_end: PendingBatch | None = None  # the failed batch, after which no batch can be made
        self._has_barrier = bool(sequence.changes_between_epochs)
        self._epoch = sequence.epoch  # the epoch that the sequence and its copies are in
        if self._has_barrier and schedule(start)[0] == self._epoch:
            self._call("on_epoch_begin")
        self.buffers = _buffers(sequence, workers, num_kept)
        self._pool: WorkerPool | None = None
        if isinstance(self.buffers, SharedBuffers):
            self._pool = WorkerPool(sequence, workers.imports, self.buffers, workers.timeout_s)
        self._lock = threading.RLock()  # a signal handler may interrupt the thread that holds it
        self._work_changed = threading.Condition(self._lock)
        self._made_changed = threading.Condition(self._lock)
        self._next_position = start  # the first position that is not open yet
        self._next_fetched = start  # the position that the consumer fetches next
        self._open: list[PendingBatch] = []
        self._made: dict[int, PendingBatch] = {}
        self._is_full = False  # whether the queue was full and has not been refilled since
        self._num_idle = 0  # workers that wait for work
        self._num_made = 0
        self._mean_s = 0.0  # mean time to make a batch, where more than twice `_CHEAP_S` counts as twice
        self._called = "on_epoch_end"  # the last method that was called between epochs
        self._epoch_opened_at: float | None = None  # when the running `on_epoch_end` was called
        self._closed = False
        self._interruption: BaseException | None = None
        self._local = LocalWorker(sequence, workers.count)
        self._threads = [
            threading.Thread(target=self._work, args=(self._worker(), n > 0), name=f"seqtrain-loader-{n}", daemon=True)
            for n in range(workers.count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def position(self) -> int:
        """The position that is fetched next."""
        return self._next_fetched

    # Called by the consumer.

    def fetch(self, position: int, interruptible: bool) -> PendingBatch:
        """Returns the batch at `position`, the next one; waits for it, or makes it in this thread.

        Raises:
            BaseException: the error of the batch; or the error passed to `interrupt`, if `interruptible`.
        """
        batch = self._wait_for(position, interruptible) if self._threads else self._make_now(position)
        if batch.error is not None:
            raise batch.error
        if batch.batch is not None:
            batch.batch = self.buffers.lend(batch.buffer, batch.batch)
            batch.rows, batch.buffer = None, Buffer()  # memory that was copied is free from here on
        with self._lock:
            if not self._is_cheap or (self._num_idle == len(self._threads) and self._has_room()):
                self._work_changed.notify()  # there is room in the queue now, and memory may have been freed
        return batch

    def interrupt(self, error: BaseException) -> None:
        """Makes every waiting `fetch` raise an error; may be called from any thread or signal handler."""
        with self._lock:
            self._interruption = error
            self._made_changed.notify_all()

    def raise_if_interrupted(self) -> None:
        """Raises the error that was passed to `interrupt`, if any."""
        if self._interruption is not None:
            raise self._interruption

    def seek(self, position: int) -> None:
        """Restarts at `position`, discarding prefetched batches."""
        with self._lock:
            for batch in self._open:
                batch.is_discarded = True
            # Batches that are being written stay until their workers are done: an epoch does not end before.
            self._open = [batch for batch in self._open if batch.parts_in_work or not batch.is_open]
            self._made.clear()
            self._is_full = False
            self._next_position = self._next_fetched = position
            self._work_changed.notify_all()

    def close(self) -> None:
        """Stops the workers: processes at once, threads after their current row range; waits up to two seconds."""
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
                if not self._made_changed.wait(_CHECK_CHEAP_S if self._is_cheap else _CHECK_S):
                    self._work_changed.notify_all()
                    self._raise_if_hung()
            self._next_fetched = position + 1
            return self._made.pop(position)

    def _raise_if_hung(self) -> None:
        """Raises an error if a batch has taken too long; a hung thread cannot be killed, so its stack is reported."""
        now, timeout_s = time.monotonic(), self._workers.timeout_s
        if self._epoch_opened_at is not None and now - self._epoch_opened_at > timeout_s:
            raise WorkerError(
                f"{self._called} has not returned within {timeout_s:g} seconds",
                fix="look for a hang in it, or raise fit.worker_timeout_s",
            )
        for batch in self._open:
            if self._pool is None and batch.threads and now - batch.began > timeout_s:
                frames = sys._current_frames()
                stacks = ["".join(traceback.format_stack(frames[n])) for n in batch.threads if n in frames]
                raise WorkerError(
                    f"{RowRange(batch, 0, batch.samples)}: not made within {timeout_s:g} seconds",
                    received="the worker at\n" + "".join(stacks).rstrip(),
                    fix="look for a hang in the code that reads these samples, or raise fit.worker_timeout_s",
                )

    def _make_now(self, position: int) -> PendingBatch:
        self._next_fetched = position + 1
        batch = PendingBatch(self._sequence, position, *self._schedule(position))
        batch.error = self._enter_epoch(batch.epoch)
        if batch.error is None:
            try:
                batch.buffer = self.buffers.take() or batch.buffer
            except MemoryError as error:
                batch.error = unforeseen(f"batch {batch.index}", error)
            else:
                self._prepare(batch)
        if batch.error is None:
            self._make(batch.claim(batch.num_rows), self._local)
        if position + 1 == self._end and batch.error is None:
            batch.error = self._enter_epoch(self._schedule(self._end)[0], begins=False)
        return batch

    # Called by the workers.

    def _worker(self) -> Worker:
        return self._local if self._pool is None else self._pool.worker()

    def _work(self, worker: Worker, waits: bool) -> None:
        if waits:
            with self._lock:
                self._work_changed.wait_for(lambda: self._num_made >= _NUM_ALONE or self._closed, _ALONE_S)
        while (part := self._claim()) is not None:
            self._make(part, worker)
            del part  # or its memory would stay in use while the worker waits

    def _claim(self) -> RowRange | None:
        """Waits for the next row range to write; None when the stream is closed."""
        with self._lock:
            while not self._closed:
                batch = next((batch for batch in self._open if batch.has_more_parts), None)
                if batch is not None:
                    share = -(-batch.num_rows // (_PARTS_PER_WORKER * self._workers.count))
                    least = 1 if batch.samples is None else self._sequence.min_part_rows
                    return batch.claim(max(share, least))
                if self._leaves_it_to_another() or not self._open_next():
                    self._made_changed.notify_all()
                    self._num_idle += 1
                    self._work_changed.wait()
                    self._num_idle -= 1
        return None

    def _leaves_it_to_another(self) -> bool:
        """Whether batches are cheap and another worker is making one, which it has just begun."""
        if not self._is_cheap or not self._open:
            return False
        return time.monotonic() - self._open[0].began < _CHECK_CHEAP_S

    def _make(self, part: RowRange, worker: Worker) -> None:
        """Lets a worker write a row range; an error is kept for the consumer of the batch."""
        bad: tuple[BadSample, ...] = ()
        error = None
        began = time.perf_counter()
        try:
            bad = worker.make(part)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            error = raised
        seconds = time.perf_counter() - began
        batch = part.batch
        with self._lock:
            batch.add(part, bad, error, seconds)
            if not batch.is_written:
                return
        batch.finish()
        if self._threads:
            self._store(batch)

    def _open_next(self) -> bool:
        """Opens the next position or, at a barrier, the next epoch; the lock is released meanwhile."""
        position = self._next_position
        epoch, index = self._schedule(position)
        if self._has_barrier and self._epoch < epoch:
            if self._open or self._epoch_opened_at is not None:
                return False
            self._open_epoch(position, epoch)
            return True
        if self._dead_end is not None or (self._end is not None and position >= self._end) or not self._has_room():
            return False
        try:
            buffer = self.buffers.take()
        except MemoryError as error:
            self._give_up(position, unforeseen(f"batch {index}", error))
            return False
        if buffer is None:
            return False
        batch = PendingBatch(self._sequence, position, epoch, index, buffer)
        self._next_position += 1
        self._open.append(batch)
        self._unlocked(lambda: self._prepare(batch))
        batch.is_open = True
        if batch.is_discarded or batch.error is not None:
            self._store(batch)
        elif not self._is_cheap:
            self._work_changed.notify_all()
        return True

    def _has_room(self) -> bool:
        """Whether the queue has room for one more batch; where they are cheap, once it is half empty."""
        num_ahead, most = self._next_position - self._next_fetched, self._workers.max_queue_size
        if num_ahead >= most:
            self._is_full = True
        elif not self._is_cheap or num_ahead <= most // 2:
            self._is_full = False
        return not self._is_full

    @property
    def _is_cheap(self) -> bool:
        return self._num_made > 0 and self._mean_s < _CHEAP_S

    def _prepare(self, batch: PendingBatch) -> None:
        """Determines the samples of a batch, and allocates its memory."""
        try:
            if self._sequence.splits_rows:
                batch.samples = self._sequence.sample_indices(batch.epoch, batch.index)
                batch.rows = self.buffers.rows(batch.buffer, len(batch.samples))
        except Exception as error:
            batch.error = unforeseen(f"batch {batch.index} of epoch {batch.epoch}", error)

    def _unlocked(self, action: Callable[[], Any]) -> Any:
        self._lock.release()
        try:
            return action()
        finally:
            self._lock.acquire()

    def _open_epoch(self, position: int, epoch: int) -> None:
        self._epoch_opened_at = time.monotonic()
        error = self._unlocked(lambda: self._enter_epoch(epoch, begins=position != self._end))
        self._epoch_opened_at = None
        if error is not None:
            self._has_barrier = False
            self._give_up(position, error)
        self._work_changed.notify_all()

    def _give_up(self, position: int, error: SeqtrainError) -> None:
        self._dead_end = PendingBatch(self._sequence, position, *self._schedule(position), error=error)
        self._made_changed.notify_all()

    def _enter_epoch(self, epoch: int, begins: bool = True) -> SeqtrainError | None:
        """Advances the sequence, and the workers' copies of it, to an epoch; returns the error, if any.

        Args:
            epoch: The epoch.
            begins: Whether it begins: not if it comes after the end of the stream.
        """
        if not self._has_barrier or self._epoch >= epoch:
            return None
        try:
            while self._sequence.epoch < epoch:
                self._call("on_epoch_end")
            if begins:
                self._call("on_epoch_begin")
            if self._pool is not None:
                self._pool.sequence_changed()
            self._epoch = epoch
        except SeqtrainError as error:
            return error
        return None

    def _call(self, method: Literal["on_epoch_begin", "on_epoch_end"]) -> None:
        """Calls a method of the sequence between its epochs.

        Raises:
            SeqtrainError: which wraps what it raised.
        """
        self._called = method
        try:
            getattr(self._sequence, method)()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            name, when = self._sequence.owner_name, "after" if method == "on_epoch_end" else "in"
            border = "end" if method == "on_epoch_end" else "beginning"
            what = f"{name}.{method} {when} epoch {self._sequence.epoch}: the {border} of an epoch"
            raise unforeseen(what, error) from error

    def _store(self, batch: PendingBatch) -> None:
        """Stores a finished batch for the consumer."""
        with self._lock:
            if batch in self._open:
                self._open.remove(batch)
            if not batch.is_discarded and not self._closed:
                self._made[batch.position] = batch
                self._num_made += 1
                weight = max(_WEIGHT_OF_LATEST, 1 / self._num_made)
                self._mean_s = weight * min(batch.seconds, 2 * _CHEAP_S) + (1 - weight) * self._mean_s
                if not self._is_cheap or batch.error is not None:
                    self._made_changed.notify_all()


def _buffers(sequence: Any, workers: WorkerOptions, num_kept: int) -> HeapBuffers | SharedBuffers:
    """Memory for the batches that are being made, queued or kept by the consumer."""
    spec = sequence.row_spec if sequence.splits_rows else None
    num_rows = sequence.batch_size if sequence.splits_rows else 1
    most = workers.max_queue_size + workers.count
    if workers.processes and workers.count:
        return SharedBuffers(spec, num_rows, most + num_kept)
    return HeapBuffers(spec, num_rows, most)
