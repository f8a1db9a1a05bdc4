import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqtrain.sequences.mask_cache import MaskCache

EMPTY = 350  # bytes that a mask costs besides its runs of three bytes each


def discs(number: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (np.hypot(rows - size[0] / 2, columns - number % 7) < 3 + number % 9).astype(np.uint8) * (number % 255 + 1)


MASKS = {
    "areas": discs(5),
    "one area": np.full((40, 30), 255, np.uint8),
    "larger than a length": np.zeros((300, 500), np.uint8),
    "changes at a length": np.concatenate([np.zeros(65535, np.uint8), np.ones(65535, np.uint8)]).reshape(-1, 255),
    "another id in each pixel": (np.arange(1200) % 251).astype(np.uint8).reshape(40, 30),
    "an id in every third pixel": (np.arange(1200) % 3 == 0).astype(np.uint8).reshape(40, 30),
    "one pixel": np.array([[7]], np.uint8),
    "two pixels": np.array([[7, 8]], np.uint8),
    "a part of a larger array": discs(8)[3:20, 2:9],
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=list(MASKS))
def test_a_mask_comes_back_byte_for_byte(mask):
    cache = MaskCache(1 << 20)
    row = np.full(mask.shape, 99, np.uint8)
    assert not cache.read(3, row)
    assert (row == 99).all()
    cache.add(3, mask)
    assert cache.read(3, row)
    assert np.array_equal(row, mask)


def test_random_masks_of_every_coarseness_come_back():
    cache, generator = MaskCache(1 << 22), np.random.default_rng(0)
    for number in range(60):
        blocks = generator.integers(0, 4, (24, 24), dtype=np.uint8)
        mask = np.repeat(np.repeat(blocks, 1 + number % 5, axis=0), 1 + number % 7, axis=1)
        cache.add(number, mask)
        row = np.empty_like(mask)
        assert cache.read(number, row)
        assert np.array_equal(row, mask)


def test_samples_and_sizes_are_told_apart():
    cache = MaskCache(1 << 20)
    cache.add(1, np.zeros((2, 6), np.uint8))
    cache.add(1, np.ones((3, 4), np.uint8))
    row = np.empty((3, 4), np.uint8)
    assert cache.read(1, row)
    assert row.all()
    assert not cache.read(2, row)
    assert not cache.read(1, np.empty((4, 3), np.uint8))


def test_what_is_kept_is_a_copy():
    cache, row = MaskCache(1 << 20), discs(5)
    cache.add(0, row)
    row[...] = 9
    again = np.empty_like(row)
    cache.read(0, again)
    again[...] = 8
    assert cache.read(0, row)
    assert np.array_equal(row, discs(5))


def test_when_the_bytes_are_spent_what_is_kept_stays():
    cache, row = MaskCache(2 * (EMPTY + 3) + EMPTY), np.empty((8, 8), np.uint8)
    for number in range(5):
        cache.add(number, np.full((8, 8), number, np.uint8))  # one run
    assert len(cache) == 2
    assert cache.num_bytes_used == 2 * (EMPTY + 3)
    assert [cache.read(number, row) for number in range(5)] == [True, True, False, False, False]
    cache.add(1, np.zeros((8, 8), np.uint8))  # a second time, by another thread
    assert cache.num_bytes_used == 2 * (EMPTY + 3)


def test_without_bytes_nothing_is_kept():
    cache, row = MaskCache(0), discs(5)
    cache.add(0, row)
    assert not cache.read(0, row)


def test_it_pickles_empty_and_goes_on():
    cache, row = MaskCache(1 << 20), discs(5)
    cache.add(0, row)
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(copy), copy.num_bytes, copy.num_bytes_used) == (0, 1 << 20, 0)
    copy.add(0, row)
    assert copy.read(0, row)


def test_threads_read_and_keep_at_once():
    cache = MaskCache(1 << 20)

    def use(number):
        row, index = np.empty((40, 30), np.uint8), number % 50
        if not cache.read(index, row):
            row[...] = discs(index)
            cache.add(index, row)
        return np.array_equal(row, discs(index))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(1000)))
    assert len(cache) == 50
    assert cache.num_bytes_used < 50 * (EMPTY + 400)
