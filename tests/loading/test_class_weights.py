import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from seqtrain.errors import ConfigError, DataError, SeqtrainError
from seqtrain.loading.class_weights import ClassWeightedSequence, class_weights
from seqtrain.loading.stream import BatchStream, Workers, training_schedule


class Labelled:
    def __init__(self, labels):
        self.labels = np.asarray(labels)

    def __len__(self):
        return len(self.labels)


class Batches:
    """A sequence of one batch."""

    spec = None
    splits_rows = False
    changes_between_epochs = False
    epoch = 0
    seed = 0

    def __init__(self, *batch):
        self._batch = batch

    def __len__(self):
        return 1

    def batch(self, epoch, position):
        return self._batch


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    weights = class_weights("balanced", Labelled(labels), np.arange(100), ("a", "b", "c"))
    assert np.allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=labels))


def test_weights_are_named_by_class_or_by_index():
    weights = class_weights({"dog": 3.0, "0": 2.0}, Labelled([0]), np.arange(1), ("cat", "dog", "cow"))
    assert weights.tolist() == [2.0, 3.0, 1.0]


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="no class 'dgo'(?s:.*)did you mean 'dog'"):
        class_weights({"dgo": 3.0}, Labelled([0]), np.arange(1), ("cat", "dog"))


@pytest.mark.parametrize("y", [np.array([1, 0, 1]), np.array([[1], [0], [1]]), np.eye(2)[[1, 0, 1]]])
def test_each_sample_has_the_weight_of_its_class(y):
    weighted = ClassWeightedSequence(Batches(np.zeros(3), y), np.array([2.0, 5.0], np.float32))
    assert weighted.batch(0, 0)[2].tolist() == [5.0, 2.0, 5.0]


def test_own_weights_are_multiplied():
    weighted = ClassWeightedSequence(
        Batches(np.zeros(2), np.array([0, 1]), np.array([[1.0], [0.5]])), np.array([2.0, 4.0])
    )
    assert weighted.batch(0, 0)[2].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("y", "error", "told"),
    [
        (np.zeros((2, 4, 4), int), ConfigError, "one class for each sample"),
        ({"a": np.zeros(2)}, ConfigError, "several outputs"),
        (np.array([0, -1]), DataError, "outside the 2 classes"),
        (np.array([0, 2]), DataError, "outside the 2 classes"),
    ],
)
def test_targets_that_are_no_classes_are_told_and_stop_the_loader(y, error, told):
    weighted = ClassWeightedSequence(Batches(np.zeros(2), y), np.ones(2, np.float32))
    for workers in (0, 2):
        with BatchStream(weighted, training_schedule(1), Workers(workers)) as stream:
            with pytest.raises(SeqtrainError, match=told) as caught:
                stream.take()
            assert isinstance(caught.value, error)
