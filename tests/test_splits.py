from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.base import Source
from seqtrain.splits import split_source


@dataclass
class Samples(Source):
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    length: int = 0

    def __len__(self):
        return next((len(part) for part in (self.labels, self.groups) if part is not None), self.length)

    def __getitem__(self, index):
        raise AssertionError("a split reads no sample")

    def column(self, name):
        return {"patient": self.groups}[name]


def sides(source, seed=0, **config):
    split = split_source(source, SplitConfig(**config), seed)
    assert not set(split.train) & set(split.val)
    assert np.all(np.diff(split.train) > 0)
    assert np.all(np.diff(split.val) > 0)
    return split.train, split.val


@pytest.mark.parametrize("by", ["random", "ordered"])
def test_a_ratio_divides_a_thousand_into_800_and_200(by):
    train, val = sides(Samples(length=1000), train=0.8, by=by)
    assert (len(train), len(val)) == (800, 200)
    assert sorted([*train, *val]) == list(range(1000))


def test_ordered_trains_on_the_first():
    train, val = sides(Samples(length=10), train=0.7, by="ordered")
    assert train.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert val.tolist() == [7, 8, 9]


def test_two_shares_leave_the_rest_out():
    train, val = sides(Samples(length=100), train=0.5, val=0.2)
    assert (len(train), len(val)) == (50, 20)


def test_val_0_is_a_run_without_validation():
    train, val = sides(Samples(length=10), train=1.0, val=0.0)
    assert (len(train), len(val)) == (10, 0)


def test_a_split_depends_on_the_seed_alone():
    samples = Samples(length=500)
    assert np.array_equal(sides(samples, seed=3, train=0.8)[0], sides(samples, seed=3, train=0.8)[0])
    assert not np.array_equal(sides(samples, seed=3, train=0.8)[0], sides(samples, seed=4, train=0.8)[0])


@pytest.mark.parametrize("share", [0.5, 0.7, 0.8, 0.9])
def test_stratified_keeps_each_class_within_one_sample_of_its_share(share):
    labels = np.repeat(np.arange(6), [100, 57, 31, 13, 8, 2])
    train, val = sides(Samples(labels), train=share, by="stratified")
    counts = np.bincount(labels[train], minlength=6)
    assert np.all(np.abs(counts - share * np.bincount(labels)) <= 1)
    assert np.all(np.bincount(labels[val], minlength=6) >= 1)
    assert len(train) == round(len(labels) * share)
    assert len(train) + len(val) == len(labels)


def test_stratified_agrees_with_scikit_learn_on_the_counts():
    labels = np.random.default_rng(0).integers(0, 5, 1000)
    train, _ = sides(Samples(labels), train=0.8, by="stratified")
    reference, _ = next(StratifiedShuffleSplit(1, train_size=0.8, random_state=0).split(labels, labels))
    assert np.abs(np.bincount(labels[train]) - np.bincount(labels[reference])).max() <= 1


def test_stratified_with_two_shares_keeps_both():
    labels = np.repeat(np.arange(4), 50)
    train, val = sides(Samples(labels), train=0.6, val=0.2, by="stratified")
    assert np.bincount(labels[train]).tolist() == [30] * 4
    assert np.bincount(labels[val]).tolist() == [10] * 4


def test_a_group_is_on_one_side_alone():
    groups = np.random.default_rng(0).integers(0, 40, 1000)
    train, val = sides(Samples(groups=groups), train=0.8, by="group")
    assert not set(groups[train]) & set(groups[val])
    assert len(train) + len(val) == 1000
    assert abs(len(train) - 800) < 60


def test_two_groups_of_any_size_give_one_to_each_side():
    groups = np.array(["a"] * 99 + ["b"])
    train, val = sides(Samples(groups=groups), train=0.5, by="group")
    assert {len(train), len(val)} == {99, 1}


def test_groups_come_from_a_named_column():
    groups = np.array(["p1", "p1", "p2", "p3"])
    train, val = sides(Samples(groups=groups), train=0.5, by="group", column="patient")
    assert not set(groups[train]) & set(groups[val])


@pytest.mark.parametrize(
    ("source", "config", "error", "told"),
    [
        (Samples(length=2), {"train": 0.9}, DataError, "no samples for validation"),
        (Samples(length=3), {"train": 0.1}, DataError, "no samples for training"),
        (
            Samples(np.array([0, 0, 0, 1]), classes=("cat", "dog")),
            {"by": "stratified"},
            DataError,
            "the class 'dog' has one sample",
        ),
        (Samples(groups=np.array(["a", "a"])), {"by": "group"}, DataError, "at least two groups"),
        (Samples(length=9), {"by": "group"}, ConfigError, "needs a source with groups"),
        (Samples(np.array([0.5, 1.5])), {"by": "stratified"}, ConfigError, "needs a source with classes"),
    ],
)
def test_what_cannot_be_divided_is_told(source, config, error, told):
    with pytest.raises(error, match=told):
        split_source(source, SplitConfig(**config), 0)


def test_the_fingerprint_changes_when_a_sample_changes_sides():
    samples = Samples(length=100)
    one = split_source(samples, SplitConfig(train=0.8), 1)
    assert one.fingerprint() == split_source(samples, SplitConfig(train=0.8), 1).fingerprint()
    assert one.fingerprint() != split_source(samples, SplitConfig(train=0.79), 1).fingerprint()
