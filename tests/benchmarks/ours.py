"""This project's loader, used as `fit` uses it: the stream, its workers, and memory that is used again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.base import Samples
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sequences.keras_style import as_sequence
from seqtrain.sources.image_folder import ImageFolderSource
from tests.benchmarks.data import Images
from tests.benchmarks.loader_session import LoaderSession


@dataclass(frozen=True)
class StreamOptions:
    """How a sequence is loaded.

    Args:
        workers: How many.
        processes: Whether they are processes.
    """

    workers: int
    processes: bool = False


def session(
    sequence: Callable[[], Any], options: StreamOptions, seconds: float, touch: Callable[[Any], Any] = len
) -> LoaderSession:
    """The loader over a sequence: the project's own, or a class written for Keras."""
    return LoaderSession(partial(_batches, sequence, options), seconds, touch)


def image_session(images: Images, processes: bool = False) -> LoaderSession:
    """The loader over photographs."""
    return session(partial(image_sequence, images), StreamOptions(images.workers, processes), images.seconds)


def image_sequence(images: Images) -> ImageSequence:
    """The sequence `image`, in the order of the files as all peers read them."""
    source = ImageFolderSource(images.folder)
    indices = np.argsort([source[index]["path"] for index in range(len(source))])
    return ImageSequence(Samples(source, indices, images.batch_size, 0, training=False), ImageFormat(images.image_size))


@contextmanager
def stream(sequence: Any, options: StreamOptions) -> Iterator[BatchStream]:
    """A stream without an end."""
    import cv2

    cv2.setNumThreads(1)  # as for every run: the workers are the parallelism
    sequence = as_sequence(sequence, seed=0, training=False)
    workers = WorkerOptions(count=options.workers, processes=options.processes)
    with BatchStream(sequence, training_schedule(len(sequence)), workers) as batches:
        yield batches


@contextmanager
def _batches(sequence: Callable[[], Any], options: StreamOptions) -> Iterator[Iterator[Any]]:
    with stream(sequence(), options) as batches:
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            batches.reuse_memory()
        yield _inputs(batches)


def _inputs(batches: BatchStream) -> Iterator[Any]:
    while True:
        yield batches.take().batch[0]
