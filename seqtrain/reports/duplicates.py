"""Finds duplicates among millions of samples: exact copies, and images that are nearly alike.

Exact copies have equal digests. To find near copies, each image is reduced to 8 x 9 gray values and hashed to the 64
signs of the differences between neighbours (dHash), which scaling, compression and brightness hardly change. Two hashes
that differ in at most three bits agree in at least one of four bands of 16 bits; so only images with an equal band are
compared, not all pairs. Plain images share bands with many others: in a large bucket, each image is only compared with
its nearest neighbours in the order of the hashes, which bounds the time and may miss some pairs. Different plain images
may have equal signs; so the gray values must also be close and strongly correlated.

Source: Neal Krawetz, 2013, "Kind of Like That" (dHash).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

THUMBNAIL = (8, 9)

_BANDS = 4
_MAX_BITS = 3
_MAX_GRAY_LEVELS = 5.0
_MIN_CORRELATION = 0.975  # copies that are compressed or scaled have 0.98 and more
_MIN_CONTRAST = 16  # images of a single gray are all alike, and not compared
_MIN_CHANGE = 2  # smaller differences may be noise of compression
_MAX_NEIGHBOURS = 64
_MAX_PAIRS = 1_000_000
_ONES = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8)).reshape(-1, 16).sum(axis=1, dtype=np.uint8)

Pairs = npt.NDArray[np.int64]


def exact_groups(digests: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.int64]]:
    """The rows of each digest that occurs more than once, in the order of their first row.

    Args:
        digests: (samples, bytes); zeros for samples without a digest.
    """
    rows = np.flatnonzero(digests.any(axis=1))
    if not len(rows):
        return []
    keys = np.ascontiguousarray(digests[rows]).view(f"V{digests.shape[1]}")[:, 0]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    groups = np.split(rows[order], np.cumsum(counts)[:-1])
    return sorted((group for group in groups if len(group) > 1), key=lambda group: int(group[0]))


def near_pairs(thumbnails: npt.NDArray[np.uint8]) -> Pairs:
    """Pairs of rows whose images are nearly alike, (pairs, 2), the smaller row first.

    Args:
        thumbnails: (samples, 8, 9).
    """
    rows = np.flatnonzero(np.ptp(thumbnails.reshape(len(thumbnails), -1), axis=1) >= _MIN_CONTRAST)
    thumbnails = thumbnails[rows]
    hashes = difference_hashes(thumbnails)
    found: list[Pairs] = []
    num_found = 0
    for band in range(_BANDS):
        bucket = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.lexsort((hashes, bucket))
        for pairs in _neighbours(order, bucket[order]):
            close = pairs[_count_bits(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= _MAX_BITS]
            found.append(np.sort(close[_are_alike(thumbnails, close)], axis=1))
            num_found += len(found[-1])
            if num_found > _MAX_PAIRS:
                return np.unique(rows[np.concatenate(found)], axis=0)
    return np.unique(rows[np.concatenate(found)], axis=0) if found else np.zeros((0, 2), np.int64)


def difference_hashes(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The dHash of each thumbnail: a bit for each pair of neighbours in a row, set if the right one is brighter."""
    wide = thumbnails.astype(np.int16)
    bits = wide[:, :, 1:] > wide[:, :, :-1] + _MIN_CHANGE
    packed: npt.NDArray[np.uint64] = np.packbits(bits.reshape(len(bits), 64), axis=1).view(np.uint64)[:, 0]
    return packed


def _neighbours(order: npt.NDArray[np.int64], bucket: npt.NDArray[np.uint64]) -> Iterator[Pairs]:
    """Pairs in the same bucket, by their distance in the order; all pairs if the bucket is within the limit."""
    for step in range(1, min(_MAX_NEIGHBOURS, len(order))):
        together = np.flatnonzero(bucket[step:] == bucket[:-step])
        if not len(together):
            return
        yield np.stack([order[together], order[together + step]], axis=1)


def _count_bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    counts: npt.NDArray[np.uint8] = _ONES[numbers.view(np.uint16)].reshape(-1, 4).sum(axis=1, dtype=np.uint8)
    return counts


def _are_alike(thumbnails: npt.NDArray[np.uint8], pairs: Pairs) -> npt.NDArray[np.bool_]:
    first, second = (
        thumbnails[pairs[:, side]].reshape(len(pairs), math.prod(THUMBNAIL)).astype(np.float32) for side in (0, 1)
    )
    are_near = np.abs(first - second).mean(axis=1) <= _MAX_GRAY_LEVELS
    for side in (first, second):
        side -= side.mean(axis=1, keepdims=True)
        side /= np.linalg.norm(side, axis=1, keepdims=True)
    are_alike: npt.NDArray[np.bool_] = are_near & ((first * second).sum(axis=1) >= _MIN_CORRELATION)
    return are_alike
