from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.sequences.autoencoder import AutoencoderSequence
from seqtrain.sources.arrays import Arrays
from seqtrain.sources.base import Source
from seqtrain.sources.csv_pixels import CsvPixels
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.image_manifest import ImageManifestSource
from seqtrain.sources.images import ImagesSource
from seqtrain.sources.synthetic_sum import SyntheticSum
from seqtrain.sources.user_source import as_source
from tests.sequences.building import build

SAMPLES = Path(__file__).parents[2] / "data_samples"
GAUSSIAN = {"name": "gaussian", "scale": 0.2}
GEOMETRY = {"horizontal_flip": 0.5, "rotation": 20.0, "shift": 0.1, "zoom": 0.2, "random_crop": 0.8}


def of(source: Any, training: bool = True, **options: Any) -> AutoencoderSequence:
    arguments = {"batch_size": 8, "seed": 7, **options}
    return build(AutoencoderSequence, source, np.arange(len(source)), training=training, **arguments)


def photos(**options: Any) -> AutoencoderSequence:
    return of(ImageManifestSource(SAMPLES / "photos" / "manifest.csv"), **{"image_size": (48, 48), **options})


def stored(folder: Path, x: np.ndarray) -> Arrays:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", np.zeros(len(x), dtype=np.int64))
    return Arrays(x=folder / "x.npy", y=folder / "y.npy")


@pytest.mark.parametrize("kind", [ImagesSource, ImageFolderSource])
def test_a_picture_is_as_pillow_reads_it_and_its_own_target(kind: Any) -> None:
    source = kind(SAMPLES / "digits")
    x, y = of(source, training=False, image_size=(64, 64), color="gray")[3]
    with Image.open(source[25]["path"]) as image:
        assert np.array_equal(x[1, ..., 0], np.asarray(image))
    assert (x.dtype, y.dtype, x.shape, y.shape) == (np.uint8, np.float32, (8, 64, 64, 1), (8, 64, 64, 1))
    assert np.array_equal(y, x / np.float32(255))


def test_arrays_are_taken_as_they_are_stored(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 6, 9, 3), dtype=np.uint8)
    x, y = of(stored(tmp_path, pixels), training=False)[1]
    assert np.array_equal(x, pixels[8:16])
    assert np.array_equal(y, pixels[8:16] / np.float32(255))
    gray, _ = of(stored(tmp_path, pixels[..., 0]), training=False)[1]
    assert np.array_equal(gray, pixels[8:16, ..., :1])


def test_pictures_in_a_csv_may_be_resized() -> None:
    source = CsvPixels(SAMPLES / "csv_pixels" / "digits.csv")
    assert np.array_equal(of(source, training=False)[0][0][3], source[3]["x"])
    half = of(source, training=False, image_size=(14, 14))[0][0][3, ..., 0].astype(float)
    means = source[3]["x"].reshape(14, 2, 14, 2).mean(axis=(1, 3))  # what halving by interpolation comes to
    assert abs(half - means).max() <= 1


class Slices(Source):
    """Pictures that are no files, of samples that have the path of something else."""

    def __init__(self, *pictures: np.ndarray) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": "volume.nii"}

    def read_picture(self, index: int) -> np.ndarray:
        return self._pictures[index]


def test_pictures_that_a_source_cuts_itself_are_taken_in_the_asked_color() -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    red = np.zeros((3, 4, 3), dtype=np.uint8)
    red[..., 0] = 200
    x, _ = of(Slices(gray, red), training=False, image_size=(3, 4))[0]
    assert np.array_equal(x[0], np.stack([gray] * 3, axis=-1))
    assert np.array_equal(x[1], red)
    x, _ = of(Slices(gray, red), training=False, image_size=(3, 4), color="gray")[0]
    assert np.array_equal(x[0, ..., 0], gray)
    assert (x[1] == 60).all()  # 0.299 of 200, as ITU-R BT.601 weighs red


def test_input_and_target_are_augmented_alike_and_as_augmented_image_does() -> None:
    ours = photos(**GEOMETRY)
    x, y = ours.batch(2, 1)
    assert np.array_equal(y, x / np.float32(255))
    source = ImageManifestSource(SAMPLES / "photos" / "manifest.csv")
    theirs = build(AugmentedImageSequence, source, np.arange(len(source)), 8, 7, True, image_size=(48, 48), **GEOMETRY)
    assert np.array_equal(x, theirs.batch(2, 1)[0])
    assert not np.array_equal(x, photos().batch(2, 1)[0])


def test_validation_is_not_augmented() -> None:
    assert np.array_equal(photos(training=False, **GEOMETRY)[1][0], photos(training=False)[1][0])


def test_noise_is_in_the_input_alone() -> None:
    (noisy, target), (clean, same) = photos(noise=GAUSSIAN, **GEOMETRY)[0], photos(**GEOMETRY)[0]
    assert np.array_equal(target, same)
    assert not np.array_equal(noisy, clean)
    inside = (clean > 130) & (clean < 140)  # where clipping is rare
    assert (noisy.astype(float) - clean)[inside].std() == pytest.approx(51, rel=0.1)


def test_noise_depends_on_seed_epoch_and_sample_alone() -> None:
    sequence, whole = photos(noise=GAUSSIAN), photos(noise=GAUSSIAN, batch_size=120)
    first = sequence.batch(1, 2)[0]
    sequence.batch(0, 0)
    assert np.array_equal(sequence.batch(1, 2)[0], first)
    assert np.array_equal(whole.batch(1, 0)[0][16:24], first)
    assert not np.array_equal(photos(noise=GAUSSIAN, seed=8).batch(1, 2)[0], first)


def test_noise_is_new_in_each_epoch_of_training_and_the_same_in_each_validation() -> None:
    def inputs_of_sample_11(sequence: AutoencoderSequence, epoch: int) -> np.ndarray:
        for position in range(len(sequence)):
            rows = np.flatnonzero(sequence.sample_indices(epoch, position) == 11)
            if rows.size:
                return sequence.batch(epoch, position)[0][rows[0]]
        raise AssertionError("sample 11 did not come")

    training, validation = photos(noise=GAUSSIAN), photos(noise=GAUSSIAN, training=False)
    assert not np.array_equal(inputs_of_sample_11(training, 0), inputs_of_sample_11(training, 1))
    assert np.array_equal(inputs_of_sample_11(validation, 0), inputs_of_sample_11(validation, 1))
    assert not np.array_equal(inputs_of_sample_11(validation, 0), photos(training=False).batch(0, 1)[0][3])


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_channels_first_holds_the_same_pictures(color: str) -> None:
    options = {"noise": GAUSSIAN, "color": color, **GEOMETRY}
    for last, first in zip(photos(**options)[0], photos(**options, data_format="channels_first")[0], strict=True):
        assert np.array_equal(np.moveaxis(first, 1, -1), last)


def test_the_spec_says_pixels_and_no_classes() -> None:
    sequence = of(ImageFolderSource(SAMPLES / "digits"), image_size=(8, 10), color="gray")
    assert [(field.shape, field.dtype, field.kind) for field in sequence.spec] == [
        ((8, 10, 1), "uint8", "pixels"),
        ((8, 10, 1), "float32", "pixels"),
    ]
    assert sequence.class_names is None
    assert sequence.num_classes is None


def test_it_pickles_small_and_makes_the_same_batches() -> None:
    sequence = photos(noise={"name": "salt_and_pepper", "fraction": 0.1}, **GEOMETRY)
    pickled = pickle.dumps(sequence)
    again = pickle.loads(pickled)
    assert len(pickled) < 20_000
    for one, other in zip(again.batch(3, 1), sequence.batch(3, 1), strict=True):
        assert np.array_equal(one, other)


def test_files_need_an_image_size() -> None:
    with pytest.raises(ConfigError, match="image_size: missing"):
        of(ImagesSource(SAMPLES / "digits"))


def test_a_source_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no 8-bit pictures") as told:
        of(SyntheticSum(num_samples=16, seed=7))
    assert "float32, (2,)" in str(told.value)
    with pytest.raises(ConfigError, match="no 8-bit pictures"):
        of(stored(tmp_path, np.zeros((10, 4, 4), dtype=np.float32)))
    with pytest.raises(ConfigError, match="no 8-bit pictures"):
        of(stored(tmp_path, np.zeros((10, 3, 16, 16), dtype=np.uint8)))
    with pytest.raises(ConfigError, match="has no pictures"):
        of(as_source([{"text": "a"}, {"text": "b"}]), image_size=(4, 4))


def test_arrays_of_another_color_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="color: the stored pictures are not rgb, they have 1 channels"):
        of(stored(tmp_path, np.zeros((10, 4, 4), dtype=np.uint8)), color="rgb")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(DataError) as told:
        of(ImagesSource(tmp_path), image_size=(4, 4))[0]
    assert str(told.value).startswith(f"{tmp_path}/torn.png")
