"""Counts the samples in the first epoch of a class written for Keras, which alone decides what is in a batch.

A class that slices by a batch size of its own, or counts its batches wrongly, trains on a part of the data, or on some
samples twice, without an error.
"""

from __future__ import annotations

import logging

from seqtrain.loading.stream import LoadedBatch
from seqtrain.structure import num_samples

log = logging.getLogger("seqtrain")


class SampleCount:
    """Warns if the batches of an epoch hold other samples, by their number, than the side of the split has.

    Args:
        name: Of the class.
        side: "training" or "validation".
        expected: The number of samples on this side.
        num_batches: In an epoch.
        batch_size: Of the config.
    """

    def __init__(self, name: str, side: str, expected: int, num_batches: int, batch_size: int) -> None:
        self._name = name
        self._side = side
        self._expected = expected
        self._num_batches = num_batches
        self._batch_size = batch_size
        self._next = 0  # the batch that is counted next; those of a resumed epoch are not
        self._counted = 0

    def add(self, loaded: LoadedBatch) -> None:
        """Counts a batch, in the order of the stream."""
        if loaded.index != self._next:
            return
        self._next += 1
        rows = num_samples(loaded.batch)
        self._counted += rows
        usual = min(self._batch_size, self._expected)
        if loaded.index == 0 and rows not in (usual, self._expected % self._batch_size):
            log.warning("%s: batch 0 in %s has %d samples, and batch_size is %d", *self._who, rows, self._batch_size)
        if self._next == self._num_batches and self._counted != self._expected:
            left_out = self._expected - self._counted
            log.log(
                logging.INFO if 0 < left_out < self._batch_size else logging.WARNING,
                "%s: the batches of an epoch in %s hold %d samples, where %d were given to it",
                *self._who,
                self._counted,
                self._expected,
            )

    @property
    def _who(self) -> tuple[str, str]:
        return self._name, self._side
