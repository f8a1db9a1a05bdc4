import hashlib
import json

import numpy as np
import pytest

from seqtrain.reports import statistics
from seqtrain.reports.fields import fields_of, is_image
from seqtrain.reports.statistics import class_indices, field_statistics, split_statistics
from seqtrain.structure import FieldSpec

GRADIENT = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1).repeat(3, axis=0)


def batch_statistics(batch, spec=None, num_classes=None, sample_ids=None):
    return statistics.batch_statistics(fields_of(batch, spec, num_classes), sample_ids)


def test_a_field_has_shape_range_mean_and_digest():
    described = field_statistics(np.array([[1, 2], [3, 6]], dtype=np.int16)).to_json()
    little_endian = bytes([1, 0, 2, 0, 3, 0, 6, 0])
    assert described == {
        "shape": [2, 2],
        "dtype": "int16",
        "min": 1,
        "max": 6,
        "mean": 3.0,
        "sha256": hashlib.sha256(little_endian).hexdigest(),
    }


def test_the_digest_is_of_the_values_in_order_whatever_their_layout_in_memory():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    transposed_twice = np.asfortranarray(array)
    assert field_statistics(transposed_twice).sha256 == hashlib.sha256(bytes(range(6))).hexdigest()


@pytest.mark.parametrize(
    "array",
    [
        np.array([np.nan, np.inf]),
        np.zeros((0, 4)),
        np.array(["a", "bc"]),
        np.array(["a", None], dtype=object),
        np.array([1 + 2j]),
        np.array(3.5),
    ],
    ids=lambda array: str(array.dtype),
)
def test_every_dtype_gives_valid_json(array):
    text = json.dumps(batch_statistics((array,)).to_json(), allow_nan=False)
    assert json.loads(text)["fields"]["x"]["dtype"] == str(array.dtype)


def test_range_and_mean_are_of_the_finite_values():
    described = field_statistics(np.array([1.0, np.nan, 3.0, np.inf]))
    assert (described.min, described.max, described.mean) == (1.0, 3.0, 2.0)


def test_booleans_count_as_zero_and_one():
    described = field_statistics(np.array([True, False, True, True])).to_json()
    assert json.dumps([described["min"], described["max"], described["mean"]]) == "[0, 1, 0.75]"


def test_nested_batches_have_named_fields():
    ids = np.array([1, 2])
    batch = ({"user": ids, "item": ids}, np.array([0.5, 1.5]), np.ones(2))
    assert list(batch_statistics(batch).fields) == ["x.user", "x.item", "y", "sample_weight"]


@pytest.mark.parametrize(
    ("y", "num_classes"),
    [
        (np.array([2, 0, 2]), 3),
        (np.array([[2], [0], [2]]), 3),
        (np.array([2.0, 0.0, 2.0], dtype=np.float32), 3),
        (np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]], dtype=np.float32), 3),
        (np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]], dtype=np.uint8), None),
        (np.array([2, 0, 2], dtype=np.uint8), None),
    ],
)
def test_labels_are_counted_as_indices_and_one_hot(y, num_classes):
    batch = batch_statistics((GRADIENT, y), num_classes=num_classes)
    assert batch.label_counts == {"y": {0: 1, 2: 2}}
    assert batch.to_json()["label_counts"] == {"0": 1, "2": 2}
    assert batch.warnings == ()


@pytest.mark.parametrize(
    "y", [np.array([0.5, 1.0]), np.array([[0.2, 0.8], [1, 1]]), np.zeros((2, 8, 8)), np.array(["a"])]
)
def test_other_targets_are_not_counted(y):
    assert class_indices(y, None) is None


def test_a_constant_picture_is_told_with_its_sample():
    x = GRADIENT.copy()
    x[1] = 7
    warnings = batch_statistics((x, np.array([0, 1, 0])), sample_ids=[30, 41, 52]).warnings
    assert warnings == ("x: every pixel is the same in sample 41",)


def test_nan_and_infinity_are_told_in_any_field():
    x = np.array([[0.1], [np.nan], [0.3]])
    y = np.array([np.inf, 1.5, 2.5])
    warnings = batch_statistics((x, y)).warnings
    assert warnings == ("x: NaN or infinite values in row 1", "y: NaN or infinite values in row 0")


def test_labels_outside_the_classes_are_told():
    warnings = batch_statistics((GRADIENT, np.array([0, 3, -1])), num_classes=3, sample_ids=[4, 5, 6]).warnings
    assert warnings == ("y: labels outside the classes 0 to 2 (-1, 3) in samples 5, 6",)


def test_one_sample_in_several_epochs_has_one_class_without_a_word():
    batch = (np.zeros((3, 4), np.float32), np.array([1, 1, 1]))
    assert batch_statistics(batch, num_classes=2, sample_ids=[5, 6, 7]).warnings
    assert not batch_statistics(batch, num_classes=2, sample_ids=[5, 5, 5]).warnings


def test_one_class_alone_is_told():
    assert batch_statistics((GRADIENT, np.array([2, 2, 2])), num_classes=3).warnings == (
        "y: only class 2 in this batch of 3",
    )


@pytest.mark.parametrize(
    ("scale", "offset", "warned"),
    [(1 / 255, 0, ""), (2 / 63, -1, ""), (4, 0, "divide by 255"), (10, -100, "rescale them")],
)
def test_float_pictures_are_expected_between_0_or_minus_1_and_1(scale, offset, warned):
    x = GRADIENT.astype(np.float32) * np.float32(scale) + np.float32(offset)
    warnings = batch_statistics((np.clip(x, -100, 252) if warned else np.clip(x, -1, 1),)).warnings
    assert len(warnings) == bool(warned)
    assert warned in "".join(warnings)


def test_a_table_of_floats_is_no_picture():
    assert batch_statistics((np.array([[300.0, -5.0], [1.0, 2.0]]), np.array([0.1, 0.2]))).warnings == ()


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((2, 32, 32, 3), "uint8", True),
        ((2, 3, 32, 32), "float32", True),
        ((2, 28, 28), "uint8", True),
        ((2, 100, 12), "float32", False),  # a series
        ((2, 32, 32, 7), "float32", False),
        ((2, 4, 4, 1), "uint8", False),
        ((2, 32, 32, 3), "int64", False),
    ],
)
def test_pictures_are_told_from_other_arrays(shape, dtype, expected):
    assert is_image(np.zeros(shape, dtype)) is expected


def test_many_samples_are_cut_short():
    x = np.full((12, 8, 8, 1), 9, np.uint8)
    (warning,) = batch_statistics((x,)).warnings
    assert warning == "x: every pixel is the same in rows 0, 1, 2, 3, 4, 5, 6, 7 and 4 more"


def test_a_split_counts_its_classes_and_their_imbalance():
    split = split_statistics(np.array([0] * 6 + [1] * 4 + [2] * 3), names=("cat", "dog", "owl"))
    assert split.to_json() == {"classes": {"cat": 6, "dog": 4, "owl": 3}, "imbalance": 2.0, "warnings": []}


def test_a_split_tells_empty_classes_and_large_imbalance():
    split = split_statistics(np.array([0] * 44 + [2] * 4), names=("cat", "dog", "owl"))
    assert split.warnings == (
        "no sample of 'dog'",
        "the largest class has 11.0 times the samples of the smallest; consider `class_weight: balanced`",
    )


def test_a_split_of_one_class_is_told():
    assert split_statistics(np.zeros(5, int), num_classes=2).warnings == ("only one class: '0'",)


@pytest.mark.parametrize("labels", [np.array([0.5, 1.0]), np.array([-1, 2]), np.array([], int)])
def test_a_split_without_classes_has_no_counts(labels):
    assert split_statistics(labels) is None


def test_pixels_of_a_mask_and_the_classes_of_each_output_are_counted():
    mask = np.zeros((2, 3, 4), np.uint8)
    mask[1, 0, :2] = 1
    spec = (FieldSpec((8, 8, 1), "uint8"), FieldSpec((3, 4), "uint8", kind="mask", classes=("background", "lesion")))
    batch = batch_statistics((GRADIENT[:2], mask), spec=spec)
    assert batch.to_json()["label_counts"] == {"0": 22, "1": 2}
    outputs = {"kind": np.array([0, 1]), "price": np.array([0.0, 1.0])}
    spec = (
        FieldSpec((2,), "float32"),
        {"kind": FieldSpec((), "int32", classes=("a", "b")), "price": FieldSpec((), "float32")},
    )
    batch = batch_statistics((np.ones((2, 2)), outputs), spec=spec)
    assert batch.to_json()["label_counts"] == {"y.kind": {"0": 1, "1": 1}}


def test_pixels_that_do_not_count_are_not_counted():
    mask = np.array([[[0, 1], [1, 1]]], np.uint8)
    weight = np.array([[[0, 1], [0.5, 0]]], np.float32)
    spec = (FieldSpec((8, 8, 1), "uint8"), FieldSpec((2, 2), "uint8", kind="mask"), FieldSpec((2, 2), "float32"))
    assert batch_statistics((GRADIENT[:1], mask, weight), spec=spec).label_counts == {"y": {1: 2}}


def test_a_mask_with_an_id_of_no_class_and_masks_of_one_class_are_told():
    spec = (FieldSpec((8, 8, 1), "uint8"), FieldSpec((2, 2), "uint8", kind="mask", classes=("background", "lesion")))
    outside = np.array([[[0, 0], [0, 0]], [[0, 7], [0, 1]]], np.uint8)
    warnings = batch_statistics((GRADIENT[:2], outside), spec=spec, sample_ids=[4, 9]).warnings
    assert warnings == ("y: labels outside the classes 0 to 1 (7) in sample 9",)
    empty = batch_statistics((GRADIENT[:2], np.zeros((2, 2, 2), np.uint8)), spec=spec).warnings
    assert empty == ("y: only class 0 in any of 2 masks",)
