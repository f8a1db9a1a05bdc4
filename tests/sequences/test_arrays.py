from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sequences.arrays import ArraySequence
from seqtrain.sources.arrays import Arrays
from seqtrain.sources.csv_pixels import CsvPixels
from seqtrain.sources.ratings import Ratings
from seqtrain.sources.synthetic_sum import SyntheticSum
from tests.sequences.building import build

DATA_SAMPLES = Path(__file__).parents[2] / "data_samples"


def stored(folder: Path, x: np.ndarray, y: np.ndarray, **arguments: Any) -> Arrays:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return Arrays(x=folder / "x.npy", y=folder / "y.npy", **arguments)


def batches(source: Any, batch_size: int = 4, training: bool = False, **arguments: Any) -> ArraySequence:
    return build(ArraySequence, source, np.arange(len(source)), batch_size, seed=7, training=training, **arguments)


def all_x(sequence: ArraySequence) -> np.ndarray:
    return np.concatenate([sequence[position][0] for position in range(len(sequence))])


def test_a_thousand_slices_split_by_0_8_are_800_and_200(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (1000, 64, 64, 1), dtype=np.uint8)
    source = stored(tmp_path, x, np.arange(1000) % 2)
    indices = np.random.default_rng(1).permutation(1000)
    training = build(ArraySequence, source, indices[:800], 64, seed=7, training=True)
    validation = build(ArraySequence, source, indices[800:], 64, seed=7, training=False)
    assert all_x(training).shape == (800, 64, 64, 1)
    assert all_x(validation).shape == (200, 64, 64, 1)
    np.testing.assert_array_equal(all_x(validation), x[indices[800:]])


def test_every_sample_comes_exactly_once_per_epoch_with_its_label(tmp_path: Path) -> None:
    source = stored(tmp_path, np.arange(103).reshape(103, 1) * 10, np.arange(103))
    sequence = batches(source, batch_size=10, training=True)
    orders = []
    for epoch in range(3):
        pairs = [sequence.batch(epoch, position) for position in range(len(sequence))]
        x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
        assert sorted(y.tolist()) == list(range(103))
        np.testing.assert_array_equal(x[:, 0], y * 10)
        orders.append(y.tolist())
    assert orders[0] != orders[1] != orders[2]


def test_a_batch_is_the_same_however_often_and_wherever_it_is_made(tmp_path: Path) -> None:
    sequence = batches(stored(tmp_path, np.random.default_rng(0).random((50, 6)), np.arange(50)), training=True)
    again = pickle.loads(pickle.dumps(sequence))
    for part, same in zip(sequence.batch(2, 5), again.batch(2, 5), strict=True):
        np.testing.assert_array_equal(part, same)
    assert len(pickle.dumps(sequence)) < 3000


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("stored_format", ["channels_last", "channels_first"])
def test_channels_are_moved_from_where_they_are_stored_to_where_the_model_wants_them(
    tmp_path: Path, stored_format: Any, data_format: Any
) -> None:
    channels_last = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    layouts = {"channels_last": channels_last, "channels_first": channels_last.transpose(0, 3, 1, 2)}
    source = stored(tmp_path, layouts[stored_format], np.zeros(5, int))
    sequence = batches(source, data_format=data_format, stored_format=stored_format)
    np.testing.assert_array_equal(all_x(sequence), layouts[data_format])
    assert sequence.spec[0].shape == layouts[data_format].shape[1:]
    assert sequence.data_format == data_format


def test_images_without_channels_get_an_axis_for_them(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
    source = stored(tmp_path, x, np.zeros(5, int))
    np.testing.assert_array_equal(all_x(batches(source)), x[..., None])
    np.testing.assert_array_equal(all_x(batches(source, data_format="channels_first")), x[:, None])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4, 5)])
def test_samples_that_are_no_images_pass_through_unchanged(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((5, *shape)).astype(np.float32)
    np.testing.assert_array_equal(all_x(batches(stored(tmp_path, x, np.zeros(5)))), x)


@pytest.mark.parametrize(
    ("stored_dtype", "dtype"), [("float64", "float32"), ("float16", "float16"), ("uint8", "uint8"), (">i2", "int16")]
)
def test_dtypes_are_kept_but_for_float64(tmp_path: Path, stored_dtype: str, dtype: str) -> None:
    x, y = batches(stored(tmp_path, np.ones((2, 3), stored_dtype), np.array([0.1, 0.2])))[0]
    assert x.dtype == dtype
    assert (y.dtype, y.shape) == (np.float32, (2,))


def test_labels_are_class_indices_or_one_hot(tmp_path: Path) -> None:
    source = stored(tmp_path, np.zeros((3, 2)), np.array([2, 0, 1]), classes=["a", "b", "c", "d"])
    sparse, one_hot = batches(source), batches(source, labels="one_hot")
    assert sparse[0][1].tolist() == [2, 0, 1]
    assert sparse[0][1].dtype == np.int32
    assert one_hot[0][1].tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert sparse.num_classes == one_hot.num_classes == 4


def test_masks_are_targets_as_they_are_stored(tmp_path: Path) -> None:
    masks = np.random.default_rng(0).integers(0, 2, (3, 4, 5, 1), dtype=np.uint8)
    sequence = batches(stored(tmp_path, np.zeros((3, 4, 5, 1)), masks))
    np.testing.assert_array_equal(sequence[0][1], masks)
    assert sequence.num_classes is None


def test_batches_are_aligned_so_that_tensorflow_need_not_copy_them(tmp_path: Path) -> None:
    x, _ = batches(stored(tmp_path, np.zeros((3, 5)), np.zeros(3)))[0]
    assert x.ctypes.data % 64 == 0


def test_the_smaller_last_batch_comes_or_is_left_out() -> None:
    source = SyntheticSum(10, seed=1)
    assert [len(batches(source)[position][0]) for position in range(3)] == [4, 4, 2]
    dropped = batches(source, drop_remainder=True)
    assert len(dropped) == 2
    with pytest.raises(IndexError, match="batch 2 of 2"):
        dropped[2]


def test_sums_come_as_two_numbers_and_one() -> None:
    x, y = batches(SyntheticSum(10, seed=1), training=True)[0]
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((4, 2), np.float32, (4, 1), np.float32)
    np.testing.assert_array_equal(x[:, :1] + x[:, 1:], y)


def test_pixels_in_csv_are_pictures_with_their_labels() -> None:
    path = DATA_SAMPLES / "csv_pixels" / "digits.csv"
    table = np.loadtxt(path, delimiter=",", skiprows=1, dtype=int)
    sequence = batches(CsvPixels(path), batch_size=32, training=True)
    x, y = sequence.batch(1, 3)
    indices = sequence.sample_indices(1, 3)
    assert (x.shape, x.dtype) == ((32, 28, 28, 1), np.uint8)
    np.testing.assert_array_equal(x.reshape(32, 784), table[indices, 1:])
    np.testing.assert_array_equal(y, table[indices, 0])
    one_hot = batches(CsvPixels(path), labels="one_hot")
    assert one_hot[0][1].argmax(axis=1).tolist() == table[:4, 0].tolist()


def test_channels_that_seem_to_come_first_are_asked_about(tmp_path: Path) -> None:
    source = stored(tmp_path, np.zeros((2, 3, 32, 32)), np.zeros(2))
    with pytest.raises(
        ConfigError, match=r"\(3, 32, 32\) look as if their channels came first(.|\n)*fix: set sequence\.stored_"
    ):
        batches(source)
    assert batches(source, stored_format="channels_last")[0][0].shape == (2, 3, 32, 32)


def test_options_that_do_not_fit_the_samples_are_refused(tmp_path: Path) -> None:
    vectors = SyntheticSum(10, seed=1)
    with pytest.raises(ConfigError, match="data_format: the samples are no images"):
        batches(vectors, data_format="channels_first")
    with pytest.raises(ConfigError, match="labels: one_hot needs class labels"):
        batches(vectors, labels="one_hot")
    with pytest.raises(ConfigError, match="stored_format: the stored images have no channel axis"):
        batches(stored(tmp_path, np.zeros((2, 6, 6)), np.zeros(2)), stored_format="channels_first")


def test_a_source_without_rows_of_arrays_is_refused() -> None:
    ratings = Ratings(DATA_SAMPLES / "ratings" / "ratings.csv")
    with pytest.raises(ConfigError, match="the sequence 'arrays' cannot read from a Ratings"):
        batches(ratings)
