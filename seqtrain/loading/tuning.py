"""Measures how fast a sequence loads with different workers, and chooses the best.

Threads are tried first, twice as many each time, up to the number of cores that the process may use. If they scale,
decoding releases the GIL and threads are best: they share memory and start at once. If two threads are hardly faster
than one, the code holds the GIL, and processes are tried.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from seqtrain.errors import WorkerError
from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.structure import num_samples
from seqtrain.text import counted

_SECONDS_EACH = 0.4
_SCALES = 1.3  # if two threads are less than this much faster than one, they hold the GIL
_WORTH_MORE_WORKERS = 1.05


@dataclass(frozen=True)
class Speed:
    """The speed with certain workers.

    Args:
        workers: The options of the workers.
        samples_per_s: Samples per second after the first batch.
        first_batch_s: Seconds until the first batch, including the start of the workers.
    """

    workers: WorkerOptions
    samples_per_s: float
    first_batch_s: float

    def to_json(self) -> dict[str, Any]:
        """As `profile --json` prints it."""
        return {
            "workers": self.workers.count,
            "use_multiprocessing": self.workers.processes,
            "samples_per_s": round(self.samples_per_s, 1),
            "first_batch_s": round(self.first_batch_s, 4),
        }

    def __str__(self) -> str:
        return f"{named(self.workers)}: {self.samples_per_s:.0f} samples/s"


def measure(sequence: Any, workers: WorkerOptions, seconds: float) -> Speed:
    """Loads batches of a sequence for about `seconds` seconds.

    Raises:
        SeqtrainError: raised by the sequence.
    """
    began = time.perf_counter()
    with BatchStream(_untouched(sequence), training_schedule(len(sequence)), workers) as stream:
        stream.reuse_memory()
        stream.take()
        first = time.perf_counter()
        # Batches that were prefetched while the workers started must not be counted: they would take no time.
        for _ in range(min(workers.max_queue_size, len(sequence))):
            stream.take()
        counted_from, samples = time.perf_counter(), 0
        while time.perf_counter() - counted_from < seconds or not samples:
            samples += num_samples(stream.take().batch)
        elapsed = time.perf_counter() - counted_from
    return Speed(workers, samples / elapsed, first - began)


def choose(sequence: Any, like: WorkerOptions, tell: Callable[[str], None]) -> tuple[WorkerOptions, list[Speed]]:
    """Measures several numbers of workers, and chooses the fewest that are about as fast as the best.

    Args:
        sequence: The sequence to load.
        like: The options besides the number and kind of workers.
        tell: Called with a message: the choice and its reason.

    Returns:
        The choice, and all measurements.
    """
    threads = _measured(sequence, like, doubling(num_cores()), processes=False)
    speeds = list(threads)
    reason = f"threads scale, on {num_cores()} cores"
    if len(threads) > 1 and threads[1].samples_per_s < _SCALES * threads[0].samples_per_s:
        reason = "the code holds the interpreter, so that threads do not help, and processes do"
        try:
            speeds += _measured(sequence, like, [n for n in doubling(num_cores()) if n > 1], processes=True)
        except WorkerError as error:
            tell(f"processes cannot be used: {error.mistakes[0].message}")
    best = max(speed.samples_per_s for speed in speeds)
    chosen = next(speed for speed in speeds if speed.samples_per_s * _WORTH_MORE_WORKERS >= best)
    if not chosen.workers.processes and chosen.workers.count < num_cores():
        reason = "more are hardly faster"
    tell(f"workers: auto chose {named(chosen.workers)}: {reason}")
    tell("  measured " + "; ".join(map(str, speeds)))
    return chosen.workers, speeds


def named(workers: WorkerOptions) -> str:
    """The number and kind of workers as text: 1 thread, 4 processes."""
    if workers.processes:
        return counted(workers.count, "process", "processes")
    return counted(workers.count, "thread")


def doubling(most: int) -> list[int]:
    """The powers of two below `most`, and `most`."""
    return sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})


def num_cores() -> int:
    """The number of cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _measured(sequence: Any, like: WorkerOptions, counts: Iterable[int], processes: bool) -> list[Speed]:
    return [
        measure(sequence, dataclasses.replace(like, count=count, processes=processes), _SECONDS_EACH)
        for count in counts
    ]


def _untouched(sequence: Any) -> Any:
    """A copy, if measuring would change the sequence through `on_epoch_end` of a class written for Keras."""
    return copy.deepcopy(sequence) if sequence.changes_between_epochs else sequence
