from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sequences.ratings import RatingSequence
from seqtrain.sources.ratings import Ratings
from seqtrain.sources.synthetic_sum import SyntheticSum
from tests.sequences.building import build


@pytest.fixture
def source(tmp_path: Path) -> Ratings:
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating,timestamp\n7,300,4.5,1\n2,10,3.0,2\n7,10,0.5,3\n9,10,2.5,4\n2,300,1.5,5\n")
    return Ratings(path)


def test_a_batch_has_two_inputs_and_one_target(source: Ratings) -> None:
    sequence = build(RatingSequence, source, np.array([4, 0, 3]), batch_size=3, seed=1, training=False)
    x, y = sequence[0]
    assert x["user"].tolist() == [0, 1, 2]
    assert x["item"].tolist() == [1, 1, 0]
    assert y.tolist() == [1.5, 4.5, 2.5]
    assert (x["user"].dtype, x["item"].dtype, y.dtype) == (np.int32, np.int32, np.float32)


def test_the_spec_counts_users_and_items_of_the_whole_table_not_of_the_split(source: Ratings) -> None:
    x_spec, y_spec = build(RatingSequence, source, np.array([1]), batch_size=1, seed=1, training=False).spec
    assert (x_spec["user"].vocabulary_size, x_spec["item"].vocabulary_size) == (3, 2)
    assert x_spec["user"].shape == x_spec["item"].shape == y_spec.shape == ()


def test_every_rating_comes_exactly_once_per_epoch(source: Ratings) -> None:
    sequence = build(RatingSequence, source, np.arange(5), batch_size=2, seed=1, training=True)
    for epoch in range(4):
        ratings = np.concatenate([sequence.batch(epoch, position)[1] for position in range(len(sequence))])
        assert sorted(ratings.tolist()) == [0.5, 1.5, 2.5, 3.0, 4.5]


def test_a_source_without_ratings_is_refused() -> None:
    with pytest.raises(ConfigError, match="the sequence 'ratings' cannot read from a SyntheticSum"):
        build(RatingSequence, SyntheticSum(4, seed=1), np.arange(4), batch_size=2, seed=1, training=True)
