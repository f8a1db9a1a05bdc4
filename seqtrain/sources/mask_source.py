"""The base of sources of images with masks.

A mask is read as one array of class ids in the size of its image. It may be stored as one image file or several, as
runs in a table, as polygons, or as a slice of a volume.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.base import Paths, Source
from seqtrain.sources.image_files import ImageFiles

Mask = npt.NDArray[np.uint8]

HIGHEST_ID = 255
"""The highest id in a mask, whose pixels are bytes."""

_COUNTED_TOGETHER = 64
_THREADS = 4  # decoders release the GIL

log = logging.getLogger("seqtrain")


class MaskSource(ImageFiles):
    """Image files with a mask each; subclasses define `read_mask`."""

    classes: tuple[str, ...]

    @property
    def files(self) -> tuple[Paths, ...]:
        """The images."""
        return (self._paths,)

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The number of pixels of each class in the masks of some samples."""
        return count_classes(self, indices)


def require_masks(source: Source, sequence: str) -> None:
    """Checks that a source has masks.

    Args:
        source: The source.
        sequence: The name of the sequence that needs masks, for the message.

    Raises:
        ConfigError: when it has none.
    """
    if not source.has_masks:
        raise ConfigError(
            f"the sequence '{sequence}' cannot read from a {type(source).__name__}",
            expected="a source of pictures with masks, such as image_mask, mask_folders, encoded_masks or coco_masks",
            fix="use one of them; or give volume_slices the folder of its masks with `labels:`",
        )


def count_classes(source: Source, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Counts the pixels of each class in the masks of some samples, by reading them all.

    A mask that cannot be read is skipped with a warning; the loader decides whether a bad sample ends the run.
    """

    def count(part: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        counts = np.zeros(len(source.classes or ()), dtype=np.int64)
        for index in part.tolist():
            try:
                mask = source.read_mask(index)
            except DataError as error:
                log.warning("a mask is left out of the class weights: %s", error)
                continue
            counts += np.bincount(mask.reshape(-1), minlength=len(counts))[: len(counts)]
        return counts

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = np.array_split(indices, 1 + len(indices) // _COUNTED_TOGETHER)
        counts: npt.NDArray[np.int64] = np.sum(list(pool.map(count, parts)), axis=0)
    return counts
