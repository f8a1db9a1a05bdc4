"""The batches of a sequence in order, prefetched by workers.

A run is one endless series of batches, and a schedule maps each position to an epoch and a batch. So the batches are
the same for any number of workers, and loading does not stop between epochs: while the model validates, the next epoch
is being loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from seqtrain.loading.bad_samples import BadSample
from seqtrain.loading.order import Schedule
from seqtrain.loading.prefetcher import Prefetcher
from seqtrain.loading.workers import WorkerOptions

_KEPT = 2  # the first two may be read for their shapes before training, which then starts with the first


@dataclass(frozen=True)
class LoadedBatch:
    """A batch with its epoch, its index, and the facts of loading it.

    Args:
        epoch: Its epoch.
        index: Its number in the epoch.
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        seconds: The total time that workers spent on it.
        bad: The samples that could not be read, with their replacements.
    """

    epoch: int
    index: int
    batch: tuple[Any, ...]
    seconds: float
    bad: tuple[BadSample, ...] = ()


class BatchStream:
    """The batches of a sequence in order, prefetched.

    Args:
        sequence: A `SampleSequence` or `KerasStyleSequence`, weighted or not.
        schedule: Maps a position to (epoch, batch).
        workers: The options of the workers.
        start: The position of the first batch.
        end: The position after the last batch; None without end.
        on_loaded: Called with each batch that is taken for the first time; its exceptions are raised by `take`.
    """

    def __init__(
        self,
        sequence: Any,
        schedule: Schedule,
        workers: WorkerOptions,
        start: int = 0,
        end: int | None = None,
        on_loaded: Callable[[LoadedBatch], None] | None = None,
    ) -> None:
        self.sequence = sequence
        self.schedule = schedule
        self.end = end
        self.workers = workers
        self._on_loaded = on_loaded
        self._kept: dict[int, LoadedBatch] = {}
        self._keep_until = start + _KEPT
        self._prefetcher = Prefetcher(sequence, schedule, workers, start, end, _KEPT)

    def reuse_memory(self) -> None:
        """Allows a batch's memory to be reused once its arrays are deleted: safe with TensorFlow, not with JAX."""
        self._prefetcher.buffers.reuse = True

    @property
    def position(self) -> int:
        """The position that is taken next."""
        return self._prefetcher.position

    def take(self, position: int | None = None, interruptible: bool = True) -> LoadedBatch:
        """Returns the batch at `position`, by default the next. The first two can be taken again until a later one is.

        Args:
            position: The position in the stream.
            interruptible: Whether `interrupt` makes this call raise; if not, it still returns its batch.

        Raises:
            SeqtrainError: when making it failed; a WorkerError if it hung, or if the stream is closed.
            BaseException: the error passed to `interrupt`.
        """
        if interruptible:
            self._prefetcher.raise_if_interrupted()
        position = self.position if position is None else position
        if position in self._kept:
            return self._kept[position]
        if self.end is not None and position >= self.end:
            raise IndexError(f"the stream ends at {self.end}")
        if position != self.position:
            self._kept.clear()
            self._prefetcher.seek(position)
        made = self._prefetcher.fetch(position, interruptible)
        assert made.batch is not None
        loaded = LoadedBatch(made.epoch, made.index, made.batch, made.seconds, made.bad_samples)
        if self._on_loaded is not None:
            self._on_loaded(loaded)
        if position < self._keep_until:
            self._kept[position] = loaded
        else:
            self._kept.clear()
        return loaded

    def is_kept(self, position: int) -> bool:
        """Whether the batch at `position` was taken and is kept, so that it can be taken again."""
        return position in self._kept

    def interrupt(self, error: BaseException) -> None:
        """Makes every waiting `take` raise an error at once, and every later one.

        May be called from any thread, and from a signal handler. Batches are still made, for callers with
        `interruptible=False`.

        Args:
            error: The error to raise.
        """
        self._prefetcher.interrupt(error)

    def close(self) -> None:
        """Stops the workers: processes at once, threads after their current row range; waits up to two seconds."""
        self._kept.clear()
        self._prefetcher.close()

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
