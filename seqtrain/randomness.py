"""Where every random number comes from: pure functions of the seed, the epoch and the sample.

No global random state is read or written, so neither workers nor the order in which they run can change a number.
Each use has a tag of its own in the entropy, so that no two uses share a stream: NumPy's `SeedSequence` pads short
entropy with zeros, and without the tags (seed, epoch) and (seed, epoch, 0) would be the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ORDER, _SAMPLE, _SPLIT, _SOURCE, _HANDOUT, _BATCH, _EPOCH_END = range(1, 8)


def epoch_order(seed: int, epoch: int, size: int) -> npt.NDArray[np.integer]:
    """The order of `size` things in an epoch: a permutation that depends on (seed, epoch) alone."""
    generator = np.random.default_rng((_ORDER, seed, epoch))
    dtype = np.uint32 if size <= np.iinfo(np.uint32).max else np.uint64
    return generator.permutation(np.arange(size, dtype=dtype))


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator that augments one sample in one epoch."""
    return np.random.default_rng((_SAMPLE, seed, epoch, index))


def split_generator(seed: int) -> np.random.Generator:
    """The generator that divides the samples into training and validation."""
    return np.random.default_rng((_SPLIT, seed))


def source_generator(seed: int, index: int) -> np.random.Generator:
    """The generator that makes sample `index` of a synthetic source."""
    return np.random.default_rng((_SOURCE, seed, index))


def handout_order(seed: int, size: int) -> npt.NDArray[np.integer]:
    """The order in which a class written for Keras is given its training samples, fixed for the run."""
    return np.random.default_rng((_HANDOUT, seed)).permutation(size)


def batch_seed(seed: int, epoch: int, position: int) -> int:
    """What the global generators are seeded with before a class written for Keras makes a batch, below 2**32."""
    return int(np.random.SeedSequence((_BATCH, seed, epoch, position)).generate_state(1)[0])


def epoch_end_seed(seed: int, epoch: int) -> int:
    """What the global generators are seeded with before a class written for Keras ends an epoch, below 2**32."""
    return int(np.random.SeedSequence((_EPOCH_END, seed, epoch)).generate_state(1)[0])
