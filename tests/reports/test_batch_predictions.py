import numpy as np
import pytest

from seqtrain.reports.batch_predictions import batch_predictions
from seqtrain.reports.fields import fields_of
from seqtrain.reports.output_spec import TrainingInfo
from seqtrain.structure import FieldSpec


def predicted(batch, spec, outputs, loss="sparse_categorical_crossentropy", **of_target):
    return batch_predictions(fields_of(batch, spec, **of_target), {"": outputs}, TrainingInfo(loss))


def classes(outputs, truth=(0, 1, 1, 0), names=("cat", "dog"), loss="sparse_categorical_crossentropy"):
    spec = (FieldSpec((2,), "float32"), FieldSpec((), "int32", classes=names))
    return predicted((np.zeros((4, 2), np.float32), np.array(truth, np.int32)), spec, np.array(outputs), loss)


def test_the_most_confident_mistakes_come_first_and_the_surest_right_ones_last():
    made = classes([[0.4, 0.6], [0.3, 0.7], [0.9, 0.1], [0.8, 0.2]])
    assert made.order == [2, 0, 1, 3]
    assert [remark.text for remark in made.remarks(2)] == ["predicted cat, 90 %"]
    assert made.remarks(2)[0].is_alarming and not made.remarks(1)[0].is_alarming
    assert made.to_json()["y"]["wrong"] == [True, False, True, False]
    assert made.lines() == ["predictions of y: 2 of 4 are wrong"]


def test_logits_become_probabilities():
    made = classes([[0.0, np.log(3)]] * 2 + [[np.log(3), 0.0]] * 2)
    assert made.to_json()["y"]["probability"] == [pytest.approx(0.75)] * 4
    single = classes([[np.log(3)], [np.log(3)], [-np.log(3)], [-np.log(3)]], loss="binary_crossentropy")
    assert single.to_json() == made.to_json()


def test_masks_are_drawn_beside_the_targets_and_the_worst_come_first():
    truth = np.zeros((2, 4, 4), np.uint8)
    truth[:, :2] = 1
    scores = np.zeros((2, 4, 4, 2), np.float32)
    scores[0, :, :, 0], scores[1, :2, :, 1], scores[1, 2:, :, 0] = 1, 1, 1
    spec = (
        FieldSpec((4, 4, 1), "uint8", kind="pixels"),
        FieldSpec((4, 4), "uint8", kind="mask", classes=("no", "yes")),
    )
    made = predicted((np.zeros((2, 4, 4, 1), np.uint8), truth), spec, scores)
    assert made.to_json()["y"]["iou"] == [0.25, 1.0]  # of the first, (8 / 16 + 0) / 2
    assert made.order == [0, 1]
    (panel,) = made.panels
    assert panel.name == "predicted"
    assert np.array_equal(panel.fields[1].array[1], truth[1])


def test_pixels_that_do_not_count_are_no_mistakes():
    truth, weights = np.zeros((1, 2, 2), np.uint8), np.array([[[1, 1], [0, 0]]], np.float32)
    scores = np.zeros((1, 2, 2, 2), np.float32)
    scores[0, 0, :, 0], scores[0, 1, :, 1] = 1, 1
    spec = (FieldSpec((2, 2, 1), "uint8", kind="pixels"), FieldSpec((2, 2), "uint8", kind="mask", classes=("a", "b")))
    spec += (FieldSpec((2, 2), "float32"),)
    made = predicted((np.zeros((1, 2, 2, 1), np.uint8), truth, weights), spec, scores)
    assert made.to_json()["y"]["iou"] == [1.0]


def test_values_are_ordered_by_their_error():
    y = np.array([1.0, 2.0, 3.0], np.float32)
    made = predicted((np.zeros((3, 2), np.float32), y), None, np.array([[1.5], [2.0], [5.0]], np.float32), "mse")
    assert made.order == [2, 0, 1]
    assert made.remarks(2)[0].text == "predicted 5 (off by 2)"
    assert made.worst()[0] == (-2.0, 2, "3", "predicted 5 (off by 2)")
    assert made.to_json()["y"]["error"] == [0.5, 0.0, 2.0]


def test_of_several_outputs_the_one_that_can_be_wrong_says_what_is_looked_at_first():
    spec = (
        FieldSpec((2,), "float32"),
        {"price": FieldSpec((), "float32"), "kind": FieldSpec((), "int32", classes=("flat", "house"))},
    )
    targets = {"price": np.array([1, 2, 3], np.float32), "kind": np.array([0, 1, 1], np.int32)}
    outputs = {"price": np.array([[9.0], [2], [3]]), "kind": np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])}
    made = batch_predictions(
        fields_of((np.zeros((3, 2), np.float32), targets), spec),
        outputs,
        TrainingInfo({"kind": "sparse_categorical_crossentropy", "price": "mse"}),
    )
    assert made.order == [2, 1, 0]
    assert [row[1:] for row in made.worst()] == [
        (2, "price 3, kind house", "price predicted 3 (off by 0), kind predicted flat, 60 %")
    ]


def test_reconstructions_are_drawn():
    picture = np.full((2, 8, 8, 1), 0.5, np.float32)
    spec = (FieldSpec((8, 8, 1), "float32", kind="pixels"),) * 2
    made = predicted((picture, picture), spec, picture + np.array([0, 0.25]).reshape(2, 1, 1, 1), "mse")
    assert made.to_json()["y"]["error"] == [0.0, 0.25]
    assert made.order == [1, 0]
    assert made.panels[0].fields[0].array.max() == 0.75


def test_outputs_that_are_no_predictions_of_the_targets_say_so():
    spec = (FieldSpec((2,), "float32"), FieldSpec((), "int32", classes=("a", "b")))
    made = predicted((np.zeros((4, 2), np.float32), np.zeros(4, np.int32)), spec, np.zeros((4, 16)), "margin")
    assert made.order is None
    assert "are no scores of 2 classes" in made.to_json()["y"]["skipped"]


@pytest.mark.parametrize(("num_lines", "is_over"), [(4, True), (5, False)])
def test_a_series_is_laid_over_its_target_or_drawn_beside_it_after_what_is_known(num_lines, is_over):
    x, y = np.zeros((2, 9, 3), np.float32), np.zeros((2, 3, num_lines), np.float32)
    spec = tuple(FieldSpec(array.shape[1:], "float32", kind="series") for array in (x, y))
    made = predicted((x, y), spec, (y + 1).reshape(2, -1), "mse")
    assert made.to_json()["y"] == {"kind": "series", "error": [1, 1]}
    assert [field.name for panel in made.panels for field in panel.fields] == ([] if is_over else ["x", "y"])
    drawn = made.over[0] if is_over else made.panels[0].fields[1]
    np.testing.assert_array_equal(drawn.array, y + 1)
