"""One kind of data: how it is made, read by ours, and read by a Sequence as tutorials write it; and both delivering.

Both deliver the same number of batches of the same size. A sequence is made once and kept for all rounds, as it is for
all epochs of a run, so that what is kept from one epoch to the next counts for whoever keeps it; the loader around it
is opened anew in every round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seqtrain.structure import named_leaves
from tests.benchmarks.peers_keras import KerasOptions, keras_dataset
from tests.benchmarks.same_work import Leaves, difference

_FILLING = 4  # batches before the clock starts


class HandWritten(Protocol):
    """A Sequence as people write it; it is told where the data is, and what a batch is."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Any, Any]: ...


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Args:
        name: In the table.
        write: Writes the data below a folder, little of it where that is asked for; says where.
        source: The config of ours, given where the data is.
        sequence: The same.
        batch_size: Samples in a batch.
        by_hand: What ours is compared with, made of (folder, batch size, whether it trains); by name.
        num_batches: In a round; as many as take a hand-written Sequence some seconds.
        at_least: What is asked of ours against the first of `by_hand`, where decoding dominates.
        differs: What is wrong with a batch, given where the data is, ours and theirs; None where it is the same work.
        needs: Packages.
    """

    name: str
    write: Callable[[Path, bool], Path]
    source: Callable[[Path], Mapping[str, Any]]
    sequence: Mapping[str, Any]
    batch_size: int
    by_hand: Mapping[str, Callable[[Path, int, bool], HandWritten]]
    num_batches: int
    at_least: float | None = None
    differs: Callable[[Path, Leaves, Leaves], str | None] = lambda folder, ours, theirs: difference(ours, theirs)
    needs: tuple[str, ...] = ()

    def ours(self, folder: Path, training: bool) -> Any:
        """This project's sequence over all samples; those of validation are neither shuffled nor drawn."""
        from seqtrain.registry import sequences, sources

        source = _built(sources, self.source(folder), {"seed": 0})
        everything = np.arange(len(source))
        supplied = {"source": source, "indices": everything, "training_indices": everything}
        run = {"batch_size": self.batch_size, "seed": 0, "training": training}
        return _built(sequences, self.sequence, supplied | run)


@dataclass
class Delivery:
    """A loader over one sequence, opened anew in every round.

    Args:
        make: The sequence, for training or for validation.
        opened: A loader over it, which gives batches without an end; each may be gone when the next is taken.
        num_batches: In a round.
    """

    make: Callable[[bool], Any]
    opened: Callable[[Any], AbstractContextManager[Iterator[tuple[Any, ...]]]]
    num_batches: int

    def sample(self) -> Any:
        """The first batch of validation, by the names of its parts."""
        with self.opened(self.make(False)) as batches:
            return {name: np.array(leaf) for name, leaf in named_leaves(next(batches))}

    def speed(self) -> float:
        """Samples a second."""
        with self.opened(self._sequence) as batches:
            for _ in range(_FILLING):
                next(batches)
            began = time.perf_counter()
            samples = sum(_take(batches) for _ in range(self.num_batches))
            return samples / (time.perf_counter() - began)

    @cached_property
    def _sequence(self) -> Any:
        return self.make(True)


def our_delivery(kind: Kind, folder: Path, workers: int, num_batches: int) -> Delivery:
    """Ours, as `fit` uses it."""
    return Delivery(partial(kind.ours, folder), partial(_our_batches, workers), num_batches)


def hand_written_delivery(kind: Kind, name: str, folder: Path, workers: int, num_batches: int) -> Delivery:
    """One written by hand, run by Keras."""
    made = kind.by_hand[name]
    return Delivery(lambda training: made(folder, kind.batch_size, training), partial(_keras, workers), num_batches)


def shuffled(count: int, training: bool) -> np.ndarray:
    """The order in which a hand-written Sequence goes through its samples."""
    return np.random.default_rng(0).permutation(count) if training else np.arange(count)


@contextmanager
def _our_batches(workers: int, sequence: Any) -> Iterator[Iterator[tuple[Any, ...]]]:
    from tests.benchmarks.ours import StreamOptions, stream

    with stream(sequence, StreamOptions(workers)) as batches:
        batches.reuse_memory()
        yield iter(lambda: batches.take().batch, None)


@contextmanager
def _keras(workers: int, sequence: Any) -> Iterator[Iterator[tuple[Any, ...]]]:
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    adapter = PyDatasetAdapter(keras_dataset(sequence, KerasOptions(workers)), shuffle=False)
    batches = _epochs(adapter)
    try:
        yield batches
    finally:
        batches.close()
        if adapter.enqueuer is not None:
            adapter.enqueuer.stop()


def _epochs(adapter: Any) -> Iterator[tuple[Any, ...]]:
    while True:
        adapter.on_epoch_begin()
        yield from adapter.get_numpy_iterator()
        adapter.on_epoch_end()


def _take(batches: Iterator[tuple[Any, ...]]) -> int:
    return len(next(named_leaves(next(batches)))[1])


def _built(registry: Any, config: Mapping[str, Any], supplied: Mapping[str, Any]) -> Any:
    arguments = {key: value for key, value in config.items() if key != "name"}
    return registry.get(config["name"]).build(arguments, supplied)
