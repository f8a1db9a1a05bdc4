import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.sequences.class_members import ClassMembers
from seqtrain.sources.base import Source


class Labelled(Source):
    classes = ("x", "y", "z")

    def __init__(self, labels) -> None:
        self.labels = np.array(labels)

    def __len__(self) -> int:
        return len(self.labels)


SOURCE = Labelled([2, 0, 1, 0, 2, 0, 1, 2])
GENERATOR = np.random.default_rng(3)


def test_members_are_those_of_this_side_alone():
    members = ClassMembers(SOURCE, np.array([1, 2, 3, 4, 7]))
    assert [members.of_class(label).tolist() for label in range(3)] == [[1, 3], [2], [4, 7]]
    assert members.counts.tolist() == [2, 1, 2]
    assert members.has_partner(np.array([7, 2, 1])).tolist() == [True, False, True]


def test_every_partner_is_as_likely_and_none_is_the_sample_itself():
    members = ClassMembers(SOURCE, np.arange(8))
    for draw, expected in ((members.same, [1, 5]), (members.other, [0, 2, 4, 6, 7])):
        drawn = np.array([draw(3, GENERATOR) for _ in range(2000)])
        values, counts = np.unique(drawn, return_counts=True)
        assert values.tolist() == expected
        share = 1 / len(expected)
        assert abs(counts / 2000 - share).max() < 4 * np.sqrt(share * (1 - share) / 2000)


def test_one_class_on_a_side_cannot_be_compared():
    with pytest.raises(DataError, match=r"single class\n  received 3 samples of the class 'x'"):
        ClassMembers(SOURCE, np.array([1, 3, 5]))


@pytest.mark.parametrize("labels", [[0.5, 1.5], [[0, 1], [1, 0]]])
def test_labels_that_are_no_classes_are_refused(labels):
    with pytest.raises(ConfigError, match="has no classes to compare samples by"):
        ClassMembers(Labelled(labels), np.arange(2))
