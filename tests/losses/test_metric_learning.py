import keras
import numpy as np
import pytest

from seqtrain.registry import losses


def build(name, **arguments):
    return losses.get(name).build(arguments, {"num_classes": 2, "class_names": ("different", "same")})


def test_the_contrastive_loss_is_that_of_the_paper():
    distance, same = np.array([0.4, 0.4, 1.5, 1.5], "float32"), np.array([1, 0, 1, 0])
    # half of: 0.4², (1.2 - 0.4)², 1.5², and nothing beyond the margin
    expected = np.mean([0.08, 0.32, 1.125, 0.0])
    loss = build("contrastive", margin=1.2)
    assert float(loss(same, distance)) == pytest.approx(expected)
    assert float(loss(same, distance[:, None])) == pytest.approx(expected)
    assert float(loss(same, distance, sample_weight=np.array([0, 1, 0, 0]))) == pytest.approx(0.32 / 4)


def test_the_triplet_loss_is_that_of_the_paper():
    anchor = np.array([[1, 0], [1, 0], [1, 0]], "float32")
    positive = np.array([[0, 1], [1, 0], [1, 0]], "float32")  # squared distances 2, 0, 0
    negative = np.array([[1, 0], [0, 1], [0.8, 0.6]], "float32")  # 0, 2, 0.4
    loss = build("triplet", margin=0.5)
    y_pred = np.stack([anchor, positive, negative], axis=1)
    assert float(loss(np.zeros(3), y_pred)) == pytest.approx((2.5 + 0 + 0.1) / 3)


@pytest.mark.parametrize("name", ["contrastive", "triplet"])
def test_a_loss_survives_saving(name):
    again = keras.losses.deserialize(keras.losses.serialize(build(name, margin=0.7)))
    assert (type(again).__name__, again.margin) == (type(build(name)).__name__, 0.7)
