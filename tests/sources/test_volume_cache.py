import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqtrain.sources.volume_cache import VolumeCache


class Files:
    """Arrays of 100 bytes that count how often they are read."""

    def __init__(self):
        self.read = []

    def reader(self, key):
        def read():
            self.read.append(key)
            return np.full(100, key, np.uint8)

        return read


def test_what_is_kept_is_read_once():
    cache, files = VolumeCache(200), Files()
    for key in (1, 2, 1, 2):
        assert cache.get(key, files.reader(key))[0] == key
    assert files.read == [1, 2]


def test_the_least_recently_used_is_dropped_when_the_bytes_are_spent():
    cache, files = VolumeCache(250), Files()
    for key in (1, 2, 1, 3, 1, 2):
        cache.get(key, files.reader(key))
    assert files.read == [1, 2, 3, 2]


def test_an_array_larger_than_the_cache_is_kept_until_the_next_comes():
    cache, files = VolumeCache(99), Files()
    for key in (1, 1, 2, 2, 1):
        assert cache.get(key, files.reader(key)).sum() == 100 * key
    assert files.read == [1, 2, 1]


def test_what_is_kept_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        VolumeCache(200).get(1, Files().reader(1))[0] = 5


def test_threads_that_want_one_array_at_once_read_it_once():
    cache, files, start = VolumeCache(200), Files(), threading.Barrier(4)

    def want(_):
        start.wait()
        return cache.get(7, files.reader(7))

    with ThreadPoolExecutor(4) as pool:
        assert all(array[0] == 7 for array in pool.map(want, range(4)))
    assert files.read == [7]


def test_a_failure_to_read_is_told_and_the_next_try_reads_again():
    cache = VolumeCache(200)

    def fail():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        cache.get(1, fail)
    assert cache.get(1, Files().reader(1))[0] == 1


def test_another_process_begins_with_an_empty_cache():
    cache, files = VolumeCache(200), Files()
    cache.get(1, files.reader(1))
    copy = pickle.loads(pickle.dumps(cache))
    assert len(pickle.dumps(cache)) < 200
    copy.get(1, files.reader(1))
    assert files.read == [1, 1]
