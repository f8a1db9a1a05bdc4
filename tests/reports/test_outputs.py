import re

import numpy as np
import pytest

from seqtrain.reports.classification import ClassificationResults
from seqtrain.reports.fields import Field
from seqtrain.reports.output_spec import TrainingInfo, output_specs
from seqtrain.reports.outputs import OutputResults
from seqtrain.reports.regression import RegressionResults
from seqtrain.reports.segmentation import SegmentationResults

IDS = np.array([0, 2, 1, 0], np.int32)
SCORES = np.full((4, 3), 1 / 3, np.float32)
VALUES = np.linspace(0, 1, 4, dtype=np.float32)
MASKS = np.array([[[0, 1], [1, 0]]] * 4, np.uint8)
NAMES = ["#0", "#1", "#2", "#3"]


def output(field, predicted, loss="sparse_categorical_crossentropy", channels_first=False, others=()):
    name = field.name.partition(".")[2]
    specs = output_specs([field], {name: predicted}, TrainingInfo(loss, channels_first=channels_first))
    made = OutputResults(specs[name])
    if made.results is not None:
        made.add([field, *others], predicted, NAMES)
    return made


@pytest.mark.parametrize("target", [IDS, IDS[:, None], np.eye(3, dtype=np.float32)[IDS]])
def test_class_ids_and_one_hot_rows_are_classes(target):
    made = output(Field("y", target, num_classes=3), SCORES)
    assert isinstance(made.results, ClassificationResults)
    assert made.results.counts[:, 0].tolist() == [2, 1, 1]


def test_ids_without_known_classes_are_as_many_as_the_scores():
    assert output(Field("y", IDS), SCORES).results.num_classes == 3


@pytest.mark.parametrize("classes", [None, 2])
def test_one_score_is_a_class_where_the_loss_takes_it_as_one(classes):
    target, score = np.array([0.0, 1, 1, 0], np.float32), np.array([[0.1], [0.8], [0.4], [0.2]])
    made = output(Field("y", target, num_classes=classes), score, "binary_crossentropy")
    assert made.results.counts.tolist() == [[2, 0], [1, 1]]


def test_a_distance_of_pairs_is_no_score():
    made = output(Field("y", IDS % 2, num_classes=2), VALUES[:, None], "contrastive")
    assert made.results is None and "the loss compares something else" in made.skipped


@pytest.mark.parametrize("target", [VALUES, VALUES[:, None], (VALUES * 9).astype(np.int32)])
def test_numbers_are_values(target):
    made = output(Field("y.price", target), VALUES[:, None], "mse")
    assert isinstance(made.results, RegressionResults)
    assert made.results.name == "price"
    assert made.results.numbers()["samples"] == 4


def test_a_series_is_values_step_by_step():
    series = np.zeros((4, 5, 2), np.float32)
    assert output(Field("y", series, "series"), series + 1, "mse").results.numbers()["mae"] == 1


@pytest.mark.parametrize(
    ("predicted", "channels_first"),
    [
        (np.eye(2)[MASKS], False),
        (np.moveaxis(np.eye(2)[MASKS], -1, 1), True),
        (MASKS[..., None] * 0.9, False),
        (MASKS[..., None] * 8.0 - 4, False),
    ],
)
def test_masks_come_from_the_largest_score_or_the_sign_of_the_only_one(predicted, channels_first):
    made = output(Field("y", MASKS, "mask", num_classes=2), predicted, channels_first=channels_first)
    assert isinstance(made.results, SegmentationResults)
    assert made.results.numbers()["mean_iou"] == 1


def test_pixels_of_weight_zero_do_not_count():
    weights = Field("sample_weight", (MASKS == 0).astype(np.float32))
    field = Field("y", MASKS, "mask", num_classes=2)
    made = output(field, np.eye(2)[MASKS], others=[weights])
    assert made.results.counts.tolist() == [[8, 0], [0, 0]]


@pytest.mark.parametrize(
    ("field", "predicted", "reason"),
    [
        (Field("y", np.zeros((4, 8, 8, 1), np.float32), "pixels"), np.zeros((4, 8, 8, 1)), "pictures"),
        (Field("y", IDS, num_classes=3), np.zeros((4, 7)), r"outputs \(7,\) are no scores of 3 classes"),
        (Field("y", MASKS, "mask", num_classes=3), np.zeros((4, 2, 2, 5)), "no masks of 3 classes"),
        (Field("y", MASKS, "mask", num_classes=2), np.zeros((4, 7)), r"outputs \(7,\) are no masks"),
        (Field("y", np.zeros((4, 3), np.float32)), np.zeros((4, 2)), "have no one shape"),
        (Field("y", np.array(["a"] * 4)), np.zeros((4, 2)), "neither a class nor values"),
        (Field("y", IDS, num_classes=5000), np.zeros((4, 5000)), "5000 classes are more"),
    ],
)
def test_what_is_something_else_is_left_out_with_the_reason(field, predicted, reason):
    made = output(field, predicted)
    assert made.results is None and re.search(reason, made.skipped)
