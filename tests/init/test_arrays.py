import numpy as np
import pytest

from seqtrain.errors import DataError
from tests.init.places import found, sections

PICTURES = np.zeros((40, 16, 16, 3), np.uint8)
CLASSES = np.arange(40) % 4


def test_training_arrays_before_those_of_a_test(tmp_path):
    for side in ("test", "train"):
        np.save(tmp_path / f"{side}_images.npy", PICTURES)
        np.save(tmp_path / f"{side}_labels.npy", CLASSES)
    detection, config = sections(tmp_path)
    assert config["source"] == {"name": "arrays", "x": "train_images.npy", "y": "train_labels.npy"}
    assert config["model"]["name"] == "cnn" and config["split"]["by"] == "stratified"
    assert dict(detection.seen)["classes"] == "4 (10 each)"


def test_an_npz_by_the_names_of_its_arrays(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=PICTURES, y_train=CLASSES, x_test=PICTURES, y_test=CLASSES)
    source = sections(tmp_path)[1]["source"]
    assert source == {"name": "arrays", "file": "d.npz", "x_key": "x_train", "y_key": "y_train"}


def test_a_compressed_npz_is_told_with_its_fix(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", x=PICTURES, y=CLASSES)
    with pytest.raises(DataError, match="np.savez"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("x", "y", "model", "loss"),
    [
        (np.zeros((40, 5), np.float32), CLASSES, {"name": "mlp"}, "sparse_categorical_crossentropy"),
        (np.zeros((40, 5), np.float32), np.zeros(40, np.float32), {"name": "mlp"}, "mse"),
        (np.zeros((40, 5), np.float32), np.zeros((40, 3), np.float32), {"name": "mlp", "num_outputs": 3}, "mse"),
        (PICTURES, np.zeros(40, np.float32), {"name": "cnn"}, "mse"),
        (np.zeros((40, 9, 9, 9, 1), np.float32), CLASSES, {"name": "cnn_3d"}, "sparse_categorical_crossentropy"),
    ],
)
def test_model_and_loss_fit_the_shapes(x, y, model, loss, tmp_path):
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    config = sections(tmp_path)[1]
    assert model.items() <= config["model"].items() and config["compile"]["loss"] == loss


def test_channels_before_height_and_width(tmp_path):
    np.save(tmp_path / "x.npy", PICTURES.transpose(0, 3, 1, 2))
    np.save(tmp_path / "y.npy", CLASSES)
    assert sections(tmp_path)[1]["sequence"] == {"name": "arrays", "stored_format": "channels_first"}


def test_data_sets_of_groups_in_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        for side in ("test", "train"):
            file[f"{side}/images"], file[f"{side}/labels"] = PICTURES, CLASSES
    source = sections(tmp_path)[1]["source"]
    assert source == {"name": "hdf5", "path": "d.h5", "x": "train/images", "y": "train/labels"}


def test_names_that_say_nothing_are_told_apart_by_shape(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["scans"], file["diagnosis"] = PICTURES, CLASSES
    source = sections(tmp_path)[1]["source"]
    assert source == {"name": "hdf5", "path": "d.h5", "x": "scans", "y": "diagnosis"}
    with h5py.File(tmp_path / "d.h5", "a") as file:
        file["age"] = CLASSES
    with pytest.raises(DataError, match="nothing here"):  # which of them is meant?
        found(tmp_path)


def test_labels_that_are_texts_are_told_before_a_config_is_written(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["images"], file["labels"] = PICTURES, np.array([b"cat", b"dog"] * 20)
    with pytest.raises(DataError, match="holds no numbers that a model can take as labels"):
        found(tmp_path)


def test_weights_of_a_model_are_no_data(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.zeros((3, 3)), np.zeros(3)
    with pytest.raises(DataError, match="nothing here"):
        found(tmp_path)
