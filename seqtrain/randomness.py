"""Derives all random numbers from the seed, the epoch and the sample, by pure functions.

No global random state is read or written, so the numbers do not depend on workers or their timing. Each use has its own
tag in the entropy, so that no two uses share a stream: NumPy's `SeedSequence` pads short entropy with zeros, so without
tags (seed, epoch) and (seed, epoch, 0) would be the same.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

_ORDER, _SAMPLE, _SPLIT, _SOURCE, _HANDOUT, _BATCH, _EPOCH_END, _REPLACEMENT = range(1, 9)
_HELD_OUT_BATCH, _HELD_OUT_EPOCH_END, _HELD_OUT_CONSTRUCTOR, _EPOCH_BEGIN, _HELD_OUT_EPOCH_BEGIN = range(9, 14)
_MOST_SHUFFLED = 1 << 22


class Order(Protocol):
    """A permutation: an array, or one that is computed when it is indexed."""

    def __getitem__(self, part: slice, /) -> npt.NDArray[np.integer]: ...


def epoch_order(seed: int, epoch: int, size: int) -> Order:
    """The order of `size` items in an epoch: a permutation that depends only on (seed, epoch).

    Up to about four million items, an array is shuffled. For more, that would take seconds and much memory in each
    epoch, so the permutation is computed when it is indexed.
    """
    generator = np.random.default_rng((_ORDER, seed, epoch))
    if size > _MOST_SHUFFLED:
        return ComputedPermutation(generator, size)
    return generator.permutation(np.arange(size, dtype=np.uint32))


def blocked_order(seed: int, epoch: int, blocks: npt.NDArray[np.integer], num_together: int) -> npt.NDArray[np.integer]:
    """The order of items in blocks that are read as a whole: a permutation that depends only on (seed, epoch).

    The blocks are shuffled; then the items of `num_together` blocks at a time are shuffled together, so that only so
    many blocks must be in memory.

    Args:
        seed: The run's seed.
        epoch: The epoch.
        blocks: The block number of each item.
        num_together: The number of blocks whose items are shuffled together.
    """
    generator = np.random.default_rng((_ORDER, seed, epoch))
    present, positions = np.unique(blocks, return_inverse=True)
    turn = generator.permutation(len(present))[positions] // num_together
    return np.lexsort((generator.random(len(blocks)), turn))


class ComputedPermutation:
    """A pseudo-random permutation of any size that needs no memory: each value is computed when it is indexed.

    A Feistel network of six rounds permutes all numbers with the smallest even number of bits that can represent them;
    a result that is not below `size` is permuted again until it is, about twice on average.

    Args:
        generator: Draws the keys of the rounds.
        size: The number of items.

    Source:
        M. Luby and C. Rackoff, 1988, How to construct pseudorandom permutations from pseudorandom functions; J. Black
        and P. Rogaway, 2002, Ciphers with arbitrary finite domains, for the walk back into the domain; the rounds'
        function is the finalizer of G. Steele et al., 2014, Fast splittable pseudorandom number generators.
    """

    def __init__(self, generator: np.random.Generator, size: int) -> None:
        self._size = size
        self._half_bits = np.uint64(-(-(size - 1).bit_length() // 2))
        self._mask = np.uint64((1 << int(self._half_bits)) - 1)
        self._keys = generator.integers(2**64, size=6, dtype=np.uint64)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> npt.NDArray[np.integer]:
        start, stop, step = part.indices(self._size)
        values = self._encrypt(np.arange(start, stop, step, dtype=np.uint64))
        outside = np.flatnonzero(values >= self._size)
        while outside.size:
            values[outside] = self._encrypt(values[outside])
            outside = outside[values[outside] >= self._size]
        return values.astype(np.int64)

    def _encrypt(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = values >> self._half_bits, values & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mix(right + key) & self._mask)
        return (left << self._half_bits) | right


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def random_subset(generator: np.random.Generator, size: int, count: int) -> npt.NDArray[np.bool_]:
    """A mask that selects exactly `count` of `size` items at random, in linear time and with five bytes per item."""
    keys = generator.integers(2**32, size=size, dtype=np.uint32)
    if count == size:
        return np.ones(size, dtype=np.bool_)
    bound = np.partition(keys, count)[count]
    chosen: npt.NDArray[np.bool_] = keys < bound
    ties = np.flatnonzero(keys == bound)[: count - np.count_nonzero(chosen)]
    chosen[ties] = True
    return chosen


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator that augments one sample in one epoch."""
    return np.random.default_rng(_seed_sequence(_SAMPLE, seed, epoch, index))


def replacement_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator that draws the replacement of a bad sample in an epoch."""
    return np.random.default_rng((_REPLACEMENT, seed, epoch, index))


def split_generator(seed: int) -> np.random.Generator:
    """The generator for the split into training and validation samples."""
    return np.random.default_rng((_SPLIT, seed))


def source_generator(seed: int, index: int) -> np.random.Generator:
    """The generator that makes sample `index` of a synthetic source."""
    return np.random.default_rng(_seed_sequence(_SOURCE, seed, index))


def handout_order(seed: int, size: int) -> npt.NDArray[np.integer]:
    """The order in which a class written for Keras gets the training samples, fixed for the run."""
    return np.random.default_rng((_HANDOUT, seed)).permutation(size)


def constructor_seed(seed: int, training: bool) -> int:
    """The seed of the global generators before a class written for Keras is built, for training or for other samples.

    Seeds for validation differ from those for training, also in `batch_seed` and `epoch_end_seed`: otherwise, a
    validation would get the same augmentation or random data as an epoch of training.
    """
    return seed if training else int(_seed_sequence(_HELD_OUT_CONSTRUCTOR, seed).generate_state(1)[0])


def batch_seed(seed: int, training: bool, epoch: int, position: int) -> int:
    """The seed of the global generators before a class written for Keras makes a batch, below 2**32."""
    tag = _BATCH if training else _HELD_OUT_BATCH
    return int(_seed_sequence(tag, seed, epoch, position).generate_state(1)[0])


def epoch_begin_seed(seed: int, training: bool, epoch: int) -> int:
    """The seed of the global generators before `on_epoch_begin` of a class written for Keras, below 2**32."""
    tag = _EPOCH_BEGIN if training else _HELD_OUT_EPOCH_BEGIN
    return int(np.random.SeedSequence((tag, seed, epoch)).generate_state(1)[0])


def epoch_end_seed(seed: int, training: bool, epoch: int) -> int:
    """The seed of the global generators before `on_epoch_end` of a class written for Keras, below 2**32."""
    tag = _EPOCH_END if training else _HELD_OUT_EPOCH_END
    return int(np.random.SeedSequence((tag, seed, epoch)).generate_state(1)[0])


def _seed_sequence(*entropy: int) -> np.random.SeedSequence:
    """`SeedSequence(entropy)`, from an array, which is much faster than from a tuple of integers."""
    fits = max(entropy) < 1 << 32
    return np.random.SeedSequence(np.array(entropy, np.uint32) if fits else entropy)
