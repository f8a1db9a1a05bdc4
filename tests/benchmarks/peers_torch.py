"""PyTorch's DataLoader: processes that decode an image each and send batches through shared memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.data import Images
from tests.benchmarks.limit import decode_into
from tests.benchmarks.loader_session import LoaderSession
from tests.benchmarks.sequences import pillow_picture


class Samples:
    """A map-style dataset.

    Args:
        images: Which.
        decoder: "pillow", or "fast": the one that this project uses.
    """

    def __init__(self, images: Images, decoder: str) -> None:
        self._paths, self._labels = images.paths, images.labels
        self._image_size = images.image_size
        self._decoder = decoder

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return picture(self._paths[index], self._image_size, self._decoder), int(self._labels[index])


def picture(path: str, image_size: tuple[int, int], decoder: str) -> np.ndarray:
    """A picture by one of the decoders."""
    if decoder == "pillow":
        return np.array(pillow_picture(path, image_size))
    row = np.empty((*image_size, 3), np.uint8)
    with open(path, "rb") as file:  # noqa: PTH123 - as quick as it gets
        decode_into(file.read(), row)
    return row


def image_session(images: Images, decoder: str) -> LoaderSession:
    """The DataLoader over photographs."""
    return LoaderSession(partial(_batches, images, decoder), images.seconds)


@contextmanager
def _batches(images: Images, decoder: str) -> Iterator[Iterator[Any]]:
    import cv2
    import torch.utils.data

    cv2.setNumThreads(1)
    loader = torch.utils.data.DataLoader(
        Samples(images, decoder), images.batch_size, num_workers=images.workers, persistent_workers=True
    )
    rows = _inputs(loader)
    try:
        yield rows
    finally:
        rows.close()


def _inputs(loader: Any) -> Iterator[Any]:
    while True:
        for x, _ in loader:
            yield x
