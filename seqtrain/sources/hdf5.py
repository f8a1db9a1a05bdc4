"""The source `hdf5`: samples and labels as data sets of one HDF5 file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from seqtrain.registry import sources
from seqtrain.sources.arrays import Arrays
from seqtrain.sources.hdf5_file import ChunkedArray, open_array
from seqtrain.types import Positive

_MUCH_MEMORY = 1 << 30
log = logging.getLogger("seqtrain")


@sources.register("hdf5")
class Hdf5(Arrays):
    """One HDF5 file with a data set of samples and one of labels or targets, one row per sample.

    Each worker process opens the file itself. The samples of a chunked data set are shuffled within groups of
    `chunks_together` chunks, so that each chunk is decompressed once per epoch and not once per row.

    Args:
        path: The file.
        x: The name of the samples' data set.
        y: The name of the labels' or targets' data set.
        groups: The name of a data set with one number per sample, such as the patient; equal values are one group.
        classes: The names of the classes, by label. Default: "0", "1" and so on.
        order: "chunks", as above; or "rows", which shuffles all samples, for files that are read fast enough.
        chunks_together: The number of chunks that are shuffled together, and kept in memory by each process.

    Raises:
        DataError: when the file is damaged or lacks a data set, a data set is in another file (an external link, an
            external or virtual data set), lengths differ, or a label is not a class index.

    Example:
        source: {name: hdf5, path: data/train.h5, x: images, y: labels}
    """

    block_size: int
    num_blocks_together: int

    def __init__(
        self,
        path: Path,
        x: str = "x",
        y: str = "y",
        groups: str | None = None,
        classes: list[str] | None = None,
        order: Literal["chunks", "rows"] = "chunks",
        chunks_together: Positive = 16,
    ) -> None:
        self.x_key = x
        # Batches of neighbouring groups of chunks are made at the same time.
        self._files = {key: open_array(path, name, 2 * chunks_together) for key, name in (("x", x), ("y", y))}
        samples = self._files["x"]
        self.block_size = samples.chunk[0] if isinstance(samples, ChunkedArray) and order == "chunks" else 1
        self.num_blocks_together = chunks_together
        if isinstance(samples, ChunkedArray) and samples.num_bytes_kept > _MUCH_MEMORY:
            log.warning(
                "hdf5: the chunks of '%s' that are kept take up to %.1f GB in each process: lower chunks_together",
                x,
                samples.num_bytes_kept / 1e9,
            )
        self._list(open_array(path, groups, 1) if groups else None, classes)
