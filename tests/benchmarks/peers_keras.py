"""Keras's own workers: a PyDataset, written as tutorials do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.benchmarks.data import Images
from tests.benchmarks.loader_session import LoaderSession
from tests.benchmarks.sequences import PillowImages


@dataclass(frozen=True)
class KerasOptions:
    """The arguments of a PyDataset.

    Args:
        workers: How many.
        use_multiprocessing: Whether they are processes.
    """

    workers: int
    use_multiprocessing: bool = False


def session(
    sequence: Callable[[], Any], options: KerasOptions, seconds: float, touch: Callable[[Any], Any] = len
) -> LoaderSession:
    """Keras's loader over a sequence, up to where its batches turn into tensors."""
    return LoaderSession(partial(_batches, sequence, options), seconds, touch)


def image_session(images: Images, options: KerasOptions, dtype: str) -> LoaderSession:
    """Photographs through Pillow."""
    return session(partial(PillowImages, images, dtype), options, images.seconds)


def keras_dataset(sequence: Any, options: KerasOptions) -> Any:
    """A sequence as a PyDataset."""
    import keras

    class Dataset(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(sequence)

        def __getitem__(self, index: int) -> Any:
            return sequence[index]

    return Dataset(workers=options.workers, use_multiprocessing=options.use_multiprocessing)


@contextmanager
def _batches(sequence: Callable[[], Any], options: KerasOptions) -> Iterator[Iterator[Any]]:
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    adapter = PyDatasetAdapter(keras_dataset(sequence(), options), shuffle=False)
    rows = _inputs(adapter)
    try:
        yield rows
    finally:
        rows.close()
        if adapter.enqueuer is not None:
            adapter.enqueuer.stop()


def _inputs(adapter: Any) -> Iterator[Any]:
    """Epoch after epoch, as `fit` goes through them."""
    while True:
        adapter.on_epoch_begin()
        yield from (batch[0] for batch in adapter.get_numpy_iterator())
        adapter.on_epoch_end()
