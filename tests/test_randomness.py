import numpy as np
import pytest

from seqtrain.randomness import (
    ComputedPermutation,
    batch_seed,
    constructor_seed,
    epoch_end_seed,
    epoch_order,
    random_subset,
    sample_generator,
)


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 1000, 65_537, 300_000])
def test_a_computed_permutation_has_each_number_once(size):
    order = ComputedPermutation(np.random.default_rng(size), size)
    assert np.array_equal(np.sort(order[:]), np.arange(size))
    assert np.array_equal(order[size // 3 :], order[:][size // 3 :])


def test_a_computed_permutation_looks_random():
    order = ComputedPermutation(np.random.default_rng(0), 100_000)[:]
    neighbours = np.abs(np.diff(order))
    assert abs(neighbours.mean() / 100_000 - 1 / 3) < 0.01  # the mean distance of two uniform numbers
    assert abs(np.corrcoef(order, np.arange(100_000))[0, 1]) < 0.02


def test_the_order_of_many_samples_takes_no_memory_and_differs_between_epochs():
    size = 100_000_000
    first, second = (epoch_order(7, epoch, size)[12_345_678:12_345_742] for epoch in (0, 1))
    assert len(set(first.tolist())) == 64
    assert first.max() < size
    assert not np.array_equal(first, second)
    assert np.array_equal(first, epoch_order(7, 0, size)[12_345_678:12_345_742])


@pytest.mark.parametrize(("size", "count"), [(10, 0), (10, 3), (10, 10), (100_000, 80_000)])
def test_a_random_subset_has_exactly_its_size(size, count):
    assert random_subset(np.random.default_rng(1), size, count).sum() == count


def test_a_subset_takes_everything_equally_often():
    counts = sum(random_subset(np.random.default_rng(seed), 20, 5).astype(int) for seed in range(4000))
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_no_two_uses_share_a_stream():
    draws = {
        sample_generator(1, 2, 0).random(),
        np.random.default_rng((1, 1, 2)).random(),
        *(batch_seed(1, training, 2, 0) for training in (True, False)),
        *(epoch_end_seed(1, training, 2) for training in (True, False)),
        *(constructor_seed(1, training) for training in (True, False)),
    }
    assert len(draws) == 8
