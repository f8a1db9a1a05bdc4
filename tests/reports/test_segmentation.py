import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from seqtrain.reports.segmentation import SegmentationResults


def masks(count=6, size=(12, 10), seed=1):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, (count, *size))
    predicted = np.where(generator.random(truth.shape) < 0.7, truth, generator.integers(0, 3, truth.shape))
    return truth, predicted


def named(count):
    return [f"#{number}" for number in range(count)]


def test_iou_of_each_class_is_that_of_scikit_learn():
    truth, predicted = masks()
    made = SegmentationResults(3)
    made.add(truth[:4], predicted[:4], None, None, named(4))
    made.add(truth[4:], predicted[4:], None, None, named(2))
    expected = metrics.jaccard_score(truth.ravel(), predicted.ravel(), average=None)
    np.testing.assert_allclose(made.table.iou, expected)
    np.testing.assert_allclose(made.table.f1, metrics.f1_score(truth.ravel(), predicted.ravel(), average=None))
    numbers = made.numbers()
    assert numbers["samples"] == 6
    assert numbers["mean_iou"] == pytest.approx(expected.mean())
    assert numbers["pixel_accuracy"] == pytest.approx((truth == predicted).mean())


def test_pixels_without_weight_and_ids_that_are_no_class_are_not_counted():
    truth = np.array([[[0, 1], [1, 255]]])
    predicted = np.array([[[0, 1], [0, 0]]])
    weights = np.array([[[1, 1], [0, 1]]], np.float32)
    made = SegmentationResults(2)
    made.add(truth, predicted, weights, None, ["#0"])
    assert made.counts.tolist() == [[1, 0], [0, 1]]


def test_the_worst_are_kept_the_worst_first_also_after_their_batch_was_used_again():
    made = SegmentationResults(2)
    truth = np.zeros((20, 4, 4), np.uint8)
    truth[:, 0] = 1
    predicted = truth.copy()
    for row in (3, 11, 17):
        predicted[row, 1 : 1 + row // 5] = 1  # 0, 2 and 3 rows too many
    pictures = np.full((20, 4, 4, 3), 7, np.uint8)
    made.add(truth, predicted, None, pictures, named(20))
    truth[:] = predicted[:] = 1
    worst = sorted(made.worst, reverse=True)
    assert [case[2] for case in worst[:2]] == ["#17", "#11"]
    assert len(worst) == 8
    assert worst[0][4].sum() == 4 and worst[0][5].sum() == 16


@pytest.mark.parametrize("shape", [(12, 10), (6, 8, 7)])
def test_pictures_and_volumes_are_drawn_with_both_masks(tmp_path, shape):
    truth, predicted = masks(4, shape)
    made = SegmentationResults(3, ["ground", "disc", "square"])
    made.add(truth, predicted, None, np.zeros((*truth.shape, 1), np.float32), named(4))
    paths = made.draw(tmp_path)
    assert [path.name for path in paths] == ["iou_by_class.png", "worst_cases.png", "confusion_matrix.png"]
    with Image.open(paths[1]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for color in ("e69f00", "56b4e9"):  # outlines of disc and square, far more than the legend's
        assert (pixels == tuple(bytes.fromhex(color))).all(axis=-1).sum() > 10_000
    assert (pixels == 0).all(axis=-1).sum() > 10_000  # the black pictures
