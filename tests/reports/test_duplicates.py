"""Copies and near copies, against a comparison of all pairs."""

import itertools

import numpy as np

from seqtrain.reports.duplicates import difference_hashes, exact_groups, near_pairs


def test_exact_groups_are_found_in_order_and_zeros_are_none():
    digests = np.array([[7, 7], [0, 0], [1, 2], [7, 7], [0, 0], [1, 2], [9, 9], [7, 7]], np.uint8)
    assert [group.tolist() for group in exact_groups(digests)] == [[0, 3, 7], [2, 5]]
    assert exact_groups(np.zeros((0, 16), np.uint8)) == []


def test_a_hash_has_a_bit_for_each_step_to_brighter():
    flat, rising = np.full((8, 9), 100, np.uint8), np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1))
    assert difference_hashes(np.stack([flat, rising])).tolist() == [0, 2**64 - 1]


def test_near_pairs_are_those_that_a_comparison_of_all_pairs_finds():
    generator = np.random.default_rng(3)
    originals = generator.integers(0, 256, (150, 8, 9)).astype(np.int64)
    copies = originals[:60] + generator.integers(-6, 7, (60, 8, 9))
    plain = np.full((50, 72), 100) + 20 * np.eye(72)[20:70].astype(np.int64)  # a spot, each elsewhere
    pictures = np.concatenate([originals, copies, plain.reshape(-1, 8, 9)]).clip(0, 255).astype(np.uint8)
    wanted, only_near = [], 0
    for first, second in itertools.combinations(range(len(pictures)), 2):
        one, other = pictures[first].astype(int), pictures[second].astype(int)
        bits = ((np.diff(one) > 2) != (np.diff(other) > 2)).sum()
        if bits <= 3 and np.abs(one - other).mean() <= 5:
            is_alike = bool(np.corrcoef(one.ravel(), other.ravel())[0, 1] >= 0.975)
            wanted += [[first, second]] * is_alike
            only_near += not is_alike
    assert 20 < len(wanted) <= 60 and only_near == 50 * 49 / 2
    assert near_pairs(pictures).tolist() == wanted


def test_many_that_are_all_alike_are_compared_with_some_and_flat_ones_with_none():
    alike = np.zeros((1000, 8, 9), np.uint8)
    alike[:, 0, 0] = 100
    pairs = near_pairs(alike)
    assert 1000 <= len(pairs) < 1000 * 64
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(near_pairs(alike // 10)) == 0
