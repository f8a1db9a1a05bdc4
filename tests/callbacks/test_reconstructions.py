import logging
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from seqtrain.callbacks.reconstructions import Reconstructions
from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import callbacks, models
from seqtrain.sequences.autoencoder import AutoencoderSequence
from seqtrain.sequences.image import ImageSequence
from seqtrain.sources.image_folder import ImageFolderSource
from tests.sequences.building import build

TILE = 72  # what pictures of 8x8 are enlarged to


def write(folder: Path, levels: list[int]) -> None:
    folder.mkdir(parents=True)
    for number, level in enumerate(levels):
        Image.new("L", (8, 8), level).save(folder / f"{number}.png")


@pytest.fixture
def pictures(tmp_path):
    write(tmp_path / "data" / "a", [10, 60, 110, 160, 210])
    return ImageFolderSource(tmp_path / "data")


def sequence(source, training=False, **options):
    arguments = {"image_size": (8, 8), "color": "gray", **options}
    return build(AutoencoderSequence, source, np.arange(len(source)), 2, 7, training, **arguments)


def identity(shape=(8, 8, 1)):
    inputs = keras.Input(shape, dtype="uint8")
    model = keras.Model(inputs, keras.layers.Rescaling(1 / 255)(inputs))
    model.compile("sgd", "mse")
    return model


def drawn(tmp_path, model, *, epochs=1, **arguments):
    callback = Reconstructions(run_dir=tmp_path, **arguments)
    callback.set_model(model)
    for epoch in range(epochs):
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    return sorted(path.name for path in (tmp_path / "plots").iterdir())


def levels(path):
    """The gray levels that cover whole tiles, with how many tiles they cover."""
    values, counts = np.unique(np.asarray(Image.open(path).convert("L")), return_counts=True)
    return {int(value): int(count) // TILE**2 for value, count in zip(values, counts, strict=True) if count >= TILE**2}


def test_files_come_every_so_many_epochs_and_at_the_end(pictures, tmp_path):
    names = drawn(tmp_path, identity(), epochs=5, train_sequence=sequence(pictures), every=2)
    assert names == ["reconstructions.png", "reconstructions_0002.png", "reconstructions_0004.png"]


def test_samples_are_spread_over_the_validation_and_shown_with_what_the_model_draws(pictures, tmp_path):
    training = sequence(pictures, training=True)
    drawn(tmp_path, identity(), train_sequence=training, val_sequence=sequence(pictures), samples=3)
    shown = levels(tmp_path / "plots" / "reconstructions.png")
    assert {level: shown[level] for level in (10, 110, 210)} == {10: 2, 110: 2, 210: 2}
    assert not {60, 160} & set(shown)


def test_without_validation_samples_of_training_are_shown(pictures, tmp_path):
    drawn(tmp_path, identity(), train_sequence=sequence(pictures, training=True), val_sequence=None, samples=99)
    shown = levels(tmp_path / "plots" / "reconstructions.png")
    assert {10, 60, 110, 160, 210} <= set(shown)


def test_a_denoiser_is_shown_with_its_clean_target(pictures, tmp_path):
    noisy = sequence(pictures, noise={"name": "masking", "fraction": 1.0})
    drawn(tmp_path, identity(), train_sequence=noisy, samples=5)
    shown = levels(tmp_path / "plots" / "reconstructions.png")
    assert {level: shown[level] for level in (10, 60, 110, 160, 210)} == dict.fromkeys((10, 60, 110, 160, 210), 1)
    assert shown[0] == 10  # the inputs, which are black, and what is drawn of them


def test_channels_first_is_drawn_alike(pictures, tmp_path):
    first = sequence(pictures, data_format="channels_first", color="rgb")
    drawn(tmp_path, identity((3, 8, 8)), train_sequence=first, samples=1)
    assert levels(tmp_path / "plots" / "reconstructions.png")[10] == 2


def test_a_vae_draws_from_its_prior_the_same_numbers_each_time(pictures, tmp_path):
    ours = sequence(pictures)
    supplied = {"input_shape": (8, 8, 1), "input_dtype": "uint8", "output_spec": ours.spec[1], "seed": 7}
    model = models.get("vae").build({"filters": (4,), "latent_size": 2}, supplied)
    drawn(tmp_path, model, train_sequence=ours, every=1)
    both = [(tmp_path / "plots" / name) for name in ("reconstructions.png", "reconstructions_0001.png")]
    with_prior, again = (np.asarray(Image.open(path)) for path in both)
    drawn(tmp_path, identity(), train_sequence=ours)
    without = np.asarray(Image.open(both[0]))
    assert with_prior.shape[0] - without.shape[0] > TILE
    below_title = slice(50, None)
    assert np.array_equal(with_prior[below_title], again[below_title])


def test_a_sample_that_is_skipped_is_left_out(pictures, tmp_path):
    (tmp_path / "data" / "a" / "2.png").write_bytes(b"torn")
    ours = sequence(pictures)
    with pytest.raises(DataError, match=r"2\.png"):
        drawn(tmp_path, identity(), train_sequence=ours, samples=3)
    ours.skips_bad_samples = True
    drawn(tmp_path, identity(), train_sequence=ours, samples=3)
    shown = levels(tmp_path / "plots" / "reconstructions.png")
    assert (shown[10], shown[210]) == (2, 2)
    assert 110 not in shown


def test_a_folder_that_takes_no_file_ends_no_run(pictures, tmp_path, caplog):
    (tmp_path / "plots").write_text("a file where the folder should be")
    callback = Reconstructions(run_dir=tmp_path, train_sequence=sequence(pictures))
    callback.set_model(identity())
    with caplog.at_level(logging.WARNING, logger="seqtrain"):
        callback.on_train_end()
    assert "reconstructions.png could not be written" in caplog.text


def test_targets_that_are_no_pictures_are_refused(pictures, tmp_path):
    labelled = build(ImageSequence, pictures, np.arange(5), 2, 7, False, image_size=(8, 8))
    with pytest.raises(ConfigError, match="targets are no pictures"):
        Reconstructions(run_dir=tmp_path, train_sequence=labelled)


def test_a_config_sets_how_often_and_how_many():
    assert set(callbacks.get("reconstructions").settings.parameters) == {"every", "samples"}
