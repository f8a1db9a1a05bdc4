"""The batches of a sequence in order, prefetched by workers.

A run is one endless series of batches, and a schedule says which batch of which epoch stands at a position. So what is
made is the same for any number of workers, and between epochs nobody stops: while the model validates, the next epoch
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

_KEPT = 2  # Keras reads up to two batches to learn their form, and then begins again


@dataclass(frozen=True)
class LoadedBatch:
    """A batch and how it came about.

    Args:
        epoch: The pass over the data that it belongs to.
        index: Its number in that pass.
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        seconds: What workers spent on it, added up.
        bad: The samples of its rows that could not be read, and what stands in their place.
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
        schedule: Which (epoch, batch) stands at a position.
        workers: Who makes them.
        start: The position of the first batch.
        end: The position after the last batch, where there is a last.
        on_bad: Is told of the bad samples of each batch that is taken; what it raises, `take` raises.
    """

    def __init__(
        self,
        sequence: Any,
        schedule: Schedule,
        workers: WorkerOptions,
        start: int = 0,
        end: int | None = None,
        on_bad: Callable[[tuple[BadSample, ...]], None] | None = None,
    ) -> None:
        self.sequence = sequence
        self.schedule = schedule
        self.end = end
        self.workers = workers
        self._on_bad = on_bad
        self._kept: dict[int, LoadedBatch] = {}
        self._keep_until = start + _KEPT
        self._prefetcher = Prefetcher(sequence, schedule, workers, start, end, _KEPT)

    def reuse_memory(self) -> None:
        """Allows a batch's memory to be used again once its arrays are gone, as TensorFlow does; JAX would not."""
        self._prefetcher.buffers.reuse = True

    @property
    def position(self) -> int:
        """The position that is taken next."""
        return self._prefetcher.position

    def take(self, position: int | None = None, interruptible: bool = True) -> LoadedBatch:
        """The batch at `position`, by default the next. The first two may be taken again while they are fresh.

        Args:
            position: In the stream.
            interruptible: Whether `interrupt` ends this call, or this call still gives its batch.

        Raises:
            SeqtrainError: what went wrong in making it; a batch that hung, or a closed stream, is a WorkerError.
            BaseException: what the stream was interrupted with.
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
        if loaded.bad and self._on_bad is not None:
            self._on_bad(loaded.bad)
        if position < self._keep_until:
            self._kept[position] = loaded
        else:
            self._kept.clear()
        return loaded

    def is_kept(self, position: int) -> bool:
        """Whether a batch that was taken can be taken again."""
        return position in self._kept

    def interrupt(self, error: BaseException) -> None:
        """Has every `take` that waits for a batch raise an error at once, and every later one.

        May be called from any thread, and from a signal handler. Batches are still made, for who takes them
        uninterruptibly.

        Args:
            error: What they raise.
        """
        self._prefetcher.interrupt(error)

    def close(self) -> None:
        """Ends the workers: processes at once, threads with the part that they are writing, for up to two seconds."""
        self._kept.clear()
        self._prefetcher.close()

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
