from __future__ import annotations

import pickle

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sources.synthetic_sum import SyntheticSum


def test_the_target_is_the_sum_of_the_two_numbers() -> None:
    source = SyntheticSum(num_samples=50, low=-2.0, high=3.0, seed=1)
    for sample in (source[index] for index in range(50)):
        assert sample["y"].shape == (1,)
        assert sample["y"][0] == sample["x"][0] + sample["x"][1]
        assert (sample["x"] >= -2).all() and (sample["x"] <= 3).all()


def test_a_sample_depends_on_the_seed_and_its_index_alone() -> None:
    source, again, other = (SyntheticSum(1000, seed=seed) for seed in (1, 1, 2))
    assert source[999]["x"].tolist() == again[999]["x"].tolist()
    assert source[999]["x"].tolist() != other[999]["x"].tolist()
    assert len({source[index]["x"].tobytes() for index in range(1000)}) == 1000


def test_rows_and_columns_hold_the_same_samples() -> None:
    source = SyntheticSum(10, seed=3)
    rows = {"x": np.empty((2, 2), np.float32), "y": np.empty((2, 1), np.float32)}
    source.read_rows(np.array([7, 4]), rows)
    assert rows["x"][1].tolist() == source[4]["x"].tolist()
    x_set, y_set = source.as_columns(np.array([7, 4]))
    assert x_set[:].tolist() == rows["x"].tolist()
    assert y_set[1].tolist() == source[4]["y"].tolist() == rows["y"][1].tolist()


def test_a_billion_samples_take_no_memory() -> None:
    assert len(pickle.dumps(SyntheticSum(10**9, seed=3))) < 500


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"low: is not below high(.|\n)*received low 1, high 1"):
        SyntheticSum(10, low=1, high=1, seed=0)


def test_there_is_no_sample_past_the_last() -> None:
    with pytest.raises(IndexError, match="sample 10 of 10"):
        SyntheticSum(10, seed=0)[10]
