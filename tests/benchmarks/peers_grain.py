"""Grain, the loader that JAX's users take: with threads, and with processes, over the fast decoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.benchmarks.data import Images
from tests.benchmarks.loader_session import LoaderSession
from tests.benchmarks.peers_torch import Samples


def image_session(images: Images, processes: bool) -> LoaderSession:
    """Grain over photographs."""
    return LoaderSession(partial(_batches, images, processes), images.seconds)


@contextmanager
def _batches(images: Images, processes: bool) -> Iterator[Iterator[Any]]:
    import cv2
    import grain
    from absl import flags

    flags.FLAGS.mark_as_parsed()  # Grain's processes read flags, which an absl program would have parsed
    cv2.setNumThreads(1)
    dataset = grain.MapDataset.source(Samples(images, "fast")).repeat().batch(images.batch_size)
    reading = grain.ReadOptions(num_threads=1 if processes else images.workers, prefetch_buffer_size=2 * images.workers)
    rows = dataset.to_iter_dataset(reading)
    if processes:
        rows = rows.mp_prefetch(grain.MultiprocessingOptions(num_workers=images.workers))
    iterator = iter(rows)
    yield (x for x, _ in iterator)
    if hasattr(iterator, "close"):
        iterator.close()
