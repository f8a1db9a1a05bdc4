"""Batches in order, made ahead by threads.

A run is one endless row of batches. A schedule, a pure function, says which batch of which epoch stands at a position;
workers take the next position, make its batch and put it down; the consumer takes batches up in order. What is made is
therefore the same for any number of workers, and between epochs nobody stops: while the model validates, the next epoch
is being loaded.

        next_ticket ──► workers ──► made {position: batch} ──► take(position), in order
             └────── never more than max_queue_size ahead of the consumer ──────┘

A sequence that changes in `on_epoch_end` (a class written for Keras) is a barrier: its next epoch begins when all
batches of the former are made, and `on_epoch_end` has run once.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from seqtrain.errors import SeqtrainError, WorkerError

Schedule = Callable[[int], tuple[int, int]]

_KEPT = 2  # Keras reads up to two batches to learn their form, and then begins again
_CLOSING_S = 2.0


@dataclass(frozen=True)
class Made:
    """A batch and how it came about.

    Args:
        epoch: The pass over the data that it belongs to.
        index: Its number in that pass.
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        seconds: What a worker took to make it.
    """

    epoch: int
    index: int
    batch: tuple[Any, ...]
    seconds: float


def training_schedule(num_batches: int) -> Schedule:
    """Pass after pass over all batches."""
    return lambda position: divmod(position, num_batches)


def validation_schedule(num_steps: int) -> Schedule:
    """The first `num_steps` batches, over and over."""
    return lambda position: (0, position % num_steps)


class BatchStream:
    """The batches of a sequence in order, made ahead.

    Args:
        sequence: A `SampleSequence` or `KerasStyleSequence`.
        schedule: Which (epoch, batch) stands at a position.
        workers: Threads; 0 makes each batch when it is taken.
        max_queue_size: How many batches may be made, or in the making, ahead of the consumer.
        start: The position of the first batch.
        end: The position after the last batch, where there is a last.
    """

    def __init__(
        self,
        sequence: Any,
        schedule: Schedule,
        workers: int,
        max_queue_size: int,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self.end = end
        self.sequence = sequence
        self.schedule = schedule
        self.max_queue_size = max_queue_size
        self._barrier = bool(sequence.changes_between_epochs)
        self._changed = threading.Condition()
        self._next_ticket = start  # the first position that nobody makes yet
        self._next_taken = start  # the position that the consumer takes next
        self._in_work = 0
        self._generation = 0
        self._made: dict[int, Made | BaseException] = {}
        self._kept: dict[int, Made] = {}
        self._keep_until = start + _KEPT
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"seqtrain-loader-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def position(self) -> int:
        """The position that is taken next."""
        return self._next_taken

    def take(self, position: int | None = None) -> Made:
        """The batch at `position`, by default the next. The first two may be taken again while they are fresh.

        Raises:
            DataError: what went wrong in making it, likewise any other exception of the sequence.
            WorkerError: when the stream is closed.
        """
        position = self._next_taken if position is None else position
        if position in self._kept:
            return self._kept[position]
        if position != self._next_taken:
            self._seek(position)
        made = self._make(position) if not self._threads else self._wait_for(position)
        if isinstance(made, BaseException):
            raise made
        if position < self._keep_until:
            self._kept[position] = made
        else:
            self._kept.clear()
        return made

    def is_kept(self, position: int) -> bool:
        """Whether a batch that was taken can be taken again."""
        return position in self._kept

    def close(self) -> None:
        """Ends the workers; each finishes the batch that it is making, for up to two seconds."""
        with self._changed:
            self._closed = True
            self._made.clear()
            self._changed.notify_all()
        deadline = time.monotonic() + _CLOSING_S
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        self._kept.clear()

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _seek(self, position: int) -> None:
        with self._changed:
            self._generation += 1
            self._made.clear()
            self._kept.clear()
            self._next_ticket = self._next_taken = position
            self._changed.notify_all()

    def _make(self, position: int) -> Made | BaseException:
        self._next_taken = position + 1
        epoch, index = self.schedule(position)
        try:
            self._enter_epoch(epoch)
            made = self._produce(epoch, index)
            if position + 1 == self.end:
                self._enter_epoch(self.schedule(self.end)[0])
        except BaseException as error:
            return _unexpected(error, "the end of an epoch")
        return made

    def _wait_for(self, position: int) -> Made | BaseException:
        with self._changed:
            while position not in self._made:
                if self._closed:
                    raise WorkerError("the loader is closed")
                self._changed.wait()
            made = self._made.pop(position)
            self._next_taken = position + 1
            self._changed.notify_all()
        return made

    def _work(self) -> None:
        while (ticket := self._next()) is not None:
            position, generation = ticket
            made = self._produce(*self.schedule(position))
            with self._changed:
                self._in_work -= 1
                if generation == self._generation and not self._closed:
                    self._made[position] = made
                self._changed.notify_all()

    def _next(self) -> tuple[int, int] | None:
        """The next position to make, once there is room for it; None when the stream is closed."""
        with self._changed:
            while not self._closed:
                epoch, _ = self.schedule(self._next_ticket)
                is_open = not self._barrier or self.sequence.epoch >= epoch
                if not is_open and self._in_work == 0:
                    self._open_epoch(epoch)
                elif is_open and self._has_room():
                    position = self._next_ticket
                    self._next_ticket += 1
                    self._in_work += 1
                    return position, self._generation
                else:
                    self._changed.wait()
        return None

    def _has_room(self) -> bool:
        ahead = self._next_ticket - self._next_taken
        return ahead < self.max_queue_size and (self.end is None or self._next_ticket < self.end)

    def _open_epoch(self, epoch: int) -> None:
        """Lets the sequence go on to the next epoch, without the lock: the consumer goes on taking what is made."""
        self._in_work += 1
        self._changed.release()
        error: WorkerError | None = None
        try:
            self._enter_epoch(epoch)
        except BaseException as raised:
            error = _unexpected(raised, "the end of an epoch")
        finally:
            self._changed.acquire()
            self._in_work -= 1
        if error is not None:
            self._made[self._next_ticket] = error
            self.end = self._next_ticket  # nothing can be made after it
            self._barrier = False
        self._changed.notify_all()

    def _enter_epoch(self, epoch: int) -> None:
        while self._barrier and self.sequence.epoch < epoch:
            self.sequence.on_epoch_end()

    def _produce(self, epoch: int, index: int) -> Made | BaseException:
        began = time.perf_counter()
        try:
            batch = self.sequence.batch(epoch, index)
        except SeqtrainError as error:
            return error
        except BaseException as error:
            return _unexpected(error, f"batch {index} of epoch {epoch}")
        return Made(epoch, index, batch, time.perf_counter() - began)


def _unexpected(error: BaseException, what: str) -> WorkerError:
    """An exception that a sequence did not foresee, with its traceback: mostly a mistake in a user's own class."""
    told = WorkerError(
        f"{what} could not be made: {type(error).__name__}: {error}",
        received="".join(traceback.format_exception(error)).rstrip().replace("\n", "\n  "),
        fix="mend the line that the traceback ends in",
    )
    told.__cause__ = error
    return told
