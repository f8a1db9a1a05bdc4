"""What a sequence of pictures with masks asks of a source, however the masks are stored.

A mask is read as one array of class ids in the size of its picture; whether it was a PNG, several of them, runs in a
table, polygons or a slice of a volume is the source's affair.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.base import Source

Mask = npt.NDArray[np.uint8]

_COUNTED_IN_ONE_GO = 64
_THREADS = 4  # decoders release the GIL

log = logging.getLogger("seqtrain")


class MaskSource(Source, Protocol):
    """A source of pictures, each with a mask.

    A sample's picture is the image file at its `path`; a source whose pictures are no files has
    `read_picture(index)`, which returns (height, width) or (height, width, 3), uint8.
    """

    classes: tuple[str, ...]
    """The names of the ids 0, 1 and so on; 0 is the background.

    A source whose `read_mask` itself sees to it that masks have the sizes of their pictures says so by `masks_fit`;
    others have each looked at once.
    """

    def read_mask(self, index: int) -> Mask:
        """The class id of each pixel, (height, width), in the size of the picture as it is stored.

        Raises:
            DataError: when the mask cannot be read, or holds an id of no class.
        """
        ...

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """How many pixels of each class the masks of some samples hold."""
        ...

    def describe(self, index: int) -> str:
        """The sample's file or row."""
        ...


def mask_source(source: Source, sequence: str) -> MaskSource:
    """The source, where it has masks.

    Args:
        source: Any.
        sequence: Who asks, for the message.

    Raises:
        ConfigError: where it has none.
    """
    if not hasattr(source, "read_mask"):
        raise ConfigError(
            f"the sequence '{sequence}' cannot read from a {type(source).__name__}",
            expected="a source of pictures with masks, such as image_mask, mask_folders, encoded_masks or coco_masks",
        )
    return cast(MaskSource, source)


def count_classes(source: Any, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Counts the pixels of each class in the masks of some samples, by reading them all.

    A mask that cannot be read is left out with a warning: the run may be allowed to skip it, and else tells of it.
    """

    def count(part: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        counts = np.zeros(len(source.classes), dtype=np.int64)
        for index in part.tolist():
            try:
                mask = source.read_mask(index)
            except DataError as error:
                log.warning("a mask is left out of the class weights: %s", error)
                continue
            counts += np.bincount(mask.reshape(-1), minlength=len(counts))[: len(counts)]
        return counts

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = np.array_split(indices, 1 + len(indices) // _COUNTED_IN_ONE_GO)
        counts: npt.NDArray[np.int64] = np.sum(list(pool.map(count, parts)), axis=0)
    return counts
