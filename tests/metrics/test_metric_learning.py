import numpy as np
import pytest

from seqtrain.registry import metrics


def build(name, **arguments):
    return metrics.get(name).build(arguments, {"num_classes": 2, "class_names": None})


def test_pair_accuracy_counts_the_pairs_on_their_side_of_the_threshold():
    metric = build("pair_accuracy", threshold=0.8)
    metric.update_state(np.array([1, 0, 1]), np.array([0.7, 0.7, 0.9]))
    metric.update_state(np.array([0, 0]), np.array([[0.9], [1.4]]))
    assert float(metric.result()) == pytest.approx(3 / 5)
    assert metric.name == "pair_accuracy"


def test_pair_accuracy_weighs_samples():
    metric = build("pair_accuracy")
    metric.update_state(np.array([1, 0]), np.array([0.1, 0.1]), sample_weight=np.array([3.0, 1.0]))
    assert float(metric.result()) == pytest.approx(3 / 4)


def test_triplet_accuracy_counts_the_triplets_whose_positive_is_nearer():
    metric = build("triplet_accuracy")
    near, far = [0.8, 0.6], [0.0, 1.0]
    metric.update_state(np.array([4, 2, 9]), np.array([[[1, 0], near, far], [[1, 0], far, near], [[1, 0], near, far]]))
    assert float(metric.result()) == pytest.approx(2 / 3)
    assert metric.name == "triplet_accuracy"
