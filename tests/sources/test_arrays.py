from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.arrays import Arrays


def saved(folder: Path, x: np.ndarray, y: np.ndarray) -> dict[str, Path]:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return {"x": folder / "x.npy", "y": folder / "y.npy"}


def test_samples_are_the_rows_of_both_arrays(tmp_path: Path) -> None:
    x, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([2, 0, 1, 2])
    source = Arrays(**saved(tmp_path, x, y))
    assert len(source) == 4
    np.testing.assert_array_equal(source[1]["x"], [3, 4, 5])
    assert source[3]["y"] == 2
    assert source.labels.tolist() == [2, 0, 1, 2]
    assert source.classes == ("0", "1", "2")
    assert source.describe(3) == f"{tmp_path / 'x.npy'}[3]"


def test_one_npz_serves_as_well_under_any_keys(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", images=np.ones((2, 3)), targets=np.array([0.5, 1.5]))
    source = Arrays(file=tmp_path / "both.npz", x_key="images", y_key="targets")
    assert source[1]["y"] == 1.5
    assert source.classes is None
    assert source.labels.tolist() == [0.5, 1.5]


def test_labels_of_shape_n_1_are_class_labels_too(tmp_path: Path) -> None:
    source = Arrays(**saved(tmp_path, np.zeros((3, 2)), np.array([[1], [0], [1]], np.uint8)))
    assert source.labels.tolist() == [1, 0, 1]
    assert source.fields["y"].shape == ()


def test_targets_of_more_than_one_number_are_no_labels(tmp_path: Path) -> None:
    one_hot = np.eye(3, dtype=np.float32)
    source = Arrays(**saved(tmp_path, np.zeros((3, 2)), one_hot), classes=["a", "b", "c"])
    assert source.labels is None
    assert source.classes == ("a", "b", "c")
    assert source.fields["y"].shape == (3,)


def test_rows_are_read_in_the_order_that_was_asked_for_repeats_included(tmp_path: Path) -> None:
    source = Arrays(**saved(tmp_path, np.arange(10) * 1.5, np.arange(10)))
    rows = {"x": np.empty(4, np.float32), "y": np.empty(4, np.int32)}
    source.read_rows(np.array([7, 2, 7, 0], np.uint32), rows)
    assert rows["x"].tolist() == [10.5, 3.0, 10.5, 0.0]
    assert rows["y"].tolist() == [7, 2, 7, 0]


def test_a_source_pickles_small_and_maps_again(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((500, 40))
    np.save(tmp_path / "patients.npy", np.arange(500) // 10)
    source = Arrays(**saved(tmp_path, x, np.arange(500) % 3), groups=tmp_path / "patients.npy")
    assert source.labels is not None and source.groups is not None
    pickled = pickle.dumps(source)
    assert len(pickled) < 2000
    restored = pickle.loads(pickled)
    np.testing.assert_array_equal(restored[123]["x"], x[123])
    assert restored.labels[4] == 1
    assert restored.groups[19] == 1


def test_columns_read_only_what_is_indexed(tmp_path: Path) -> None:
    x = np.arange(20, dtype=np.int16).reshape(10, 2)
    x_set, y_set = Arrays(**saved(tmp_path, x, np.arange(10))).as_columns(np.array([5, 3, 8]))
    assert len(x_set) == 3 and x_set.shape == (3, 2) and x_set.dtype == np.int16
    assert x_set[0:2].tolist() == [[10, 11], [6, 7]]
    assert x_set[-1].tolist() == [16, 17]
    assert y_set[np.array([2, 0])].tolist() == [8, 5]
    assert y_set[1] == 3
    np.testing.assert_array_equal(np.asarray(x_set), x[[5, 3, 8]])
    assert [int(label) for label in y_set] == [5, 3, 8]


def test_lengths_that_differ_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"y\.npy  has another length(.|\n)*expected 4 rows(.|\n)*received 3 rows"):
        Arrays(**saved(tmp_path, np.zeros((4, 2)), np.zeros(3)))


def test_groups_must_be_one_per_sample(tmp_path: Path) -> None:
    files = saved(tmp_path, np.zeros((4, 2)), np.zeros(4))
    np.save(tmp_path / "g.npy", np.zeros(5))
    with pytest.raises(DataError, match=r"g\.npy  has another length"):
        Arrays(**files, groups=tmp_path / "g.npy")
    np.save(tmp_path / "g.npy", np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"g\.npy  holds more than one group per sample"):
        Arrays(**files, groups=tmp_path / "g.npy")


@pytest.mark.parametrize("y", [np.array([0, 1, np.nan, 3]), np.array([[0, 1], [1, 2], [np.nan, 3], [4, 5]])])
def test_a_nan_label_is_refused_with_its_row(tmp_path: Path, y: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"y\.npy\[2\]  the label is NaN(.|\n)*received 1 such rows of 4"):
        Arrays(**saved(tmp_path, np.zeros((4, 2)), y))


def test_labels_that_are_no_class_indices_are_refused(tmp_path: Path) -> None:
    files = saved(tmp_path, np.zeros((3, 2)), np.array([0, -1, 2]))
    with pytest.raises(DataError, match=r"y\.npy\[1\]  the label -1 is no class index"):
        Arrays(**files)
    files = saved(tmp_path, np.zeros((3, 2)), np.array([0, 1, 2]))
    with pytest.raises(DataError, match=r"y\.npy\[2\]  the label 2 is no class index(.|\n)*`classes` names 2 classes"):
        Arrays(**files, classes=["a", "b"])
    files = saved(tmp_path, np.zeros((3, 2)), np.array([0, 10**9, 2]))
    with pytest.raises(DataError, match=r"label 1000000000 is no class index(.|\n)*for regression save .* float32"):
        Arrays(**files)


def test_text_is_refused_as_samples_and_as_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"y\.npy  holds no numbers(.|\n)*received <U3"):
        Arrays(**saved(tmp_path, np.zeros((2, 2)), np.array(["cat", "dog"])))


def test_class_names_for_float_targets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"classes: there are 2 names, but the targets are no labels"):
        Arrays(**saved(tmp_path, np.zeros((2, 2)), np.array([0.5, 1.5])), classes=["a", "b"])


def test_either_two_files_or_one_must_be_named(tmp_path: Path) -> None:
    files = saved(tmp_path, np.zeros((2, 2)), np.zeros(2))
    for wrong in ({}, {"x": files["x"]}, {**files, "file": tmp_path / "both.npz"}, {**files, "x_key": "images"}):
        with pytest.raises(ConfigError, match="needs either x and y, or file"):
            Arrays(**wrong)
