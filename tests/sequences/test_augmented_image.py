from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.sequences.image import ImageSequence
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.image_manifest import ImageManifestSource
from tests.sequences.building import build

SAMPLES = Path(__file__).parents[2] / "data_samples"
ALL = {
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "rotation": 20.0,
    "shift": 0.1,
    "zoom": 0.2,
    "brightness": 0.2,
    "contrast": 0.2,
    "random_crop": 0.8,
}


def photos(kind=AugmentedImageSequence, **options):
    arguments = {"batch_size": 16, "seed": 7, "training": True, "image_size": (48, 48), **options}
    return build(kind, ImageManifestSource(SAMPLES / "photos" / "manifest.csv"), np.arange(120), **arguments)


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_without_augmentation_batches_equal_those_of_image(color: str, data_format: str) -> None:
    options = {"color": color, "data_format": data_format}
    for ours, plain in zip(photos(**options)[1], photos(ImageSequence, **options)[1], strict=True):
        assert np.array_equal(ours, plain)


def test_validation_is_never_augmented() -> None:
    ours, plain = photos(training=False, **ALL), photos(ImageSequence, training=False)
    for epoch in (0, 3):
        assert np.array_equal(ours.batch(epoch, 2)[0], plain.batch(0, 2)[0])


@pytest.mark.parametrize(("option", "axis"), [("horizontal_flip", 2), ("vertical_flip", 1)])
def test_a_flip_alone_is_bit_equal_to_numpy(option: str, axis: int) -> None:
    assert np.array_equal(photos(**{option: 1.0})[0][0], np.flip(photos(ImageSequence)[0][0], axis))


def test_a_flip_of_one_half_flips_about_half_and_leaves_the_rest_untouched() -> None:
    flipped = 0
    for position in range(7):
        ours, plain = photos(horizontal_flip=0.5)[position][0], photos(ImageSequence)[position][0]
        for one, other in zip(ours, plain, strict=True):
            is_flipped = np.array_equal(one, np.flip(other, 1))
            assert is_flipped or np.array_equal(one, other)
            flipped += is_flipped
    assert 35 <= flipped <= 77  # of 112: four standard deviations


@pytest.mark.parametrize("option", ["rotation", "shift", "zoom", "brightness", "contrast", "random_crop"])
def test_each_augmentation_changes_the_pixels_and_keeps_the_labels(option: str) -> None:
    ours, plain = photos(**{option: ALL[option]})[0], photos(ImageSequence)[0]
    changed = [not np.array_equal(one, other) for one, other in zip(ours[0], plain[0], strict=True)]
    assert sum(changed) >= 12  # of 16: a little less contrast leaves a gray crop as it was
    assert np.array_equal(ours[1], plain[1])


def test_augmentation_depends_on_seed_epoch_and_sample_alone() -> None:
    sequence, again, whole = photos(**ALL), photos(**ALL), photos(**ALL, batch_size=120)
    first = sequence.batch(1, 2)
    again.batch(0, 0)
    assert np.array_equal(again.batch(1, 2)[0], first[0])
    assert np.array_equal(sequence.batch(1, 2)[0], first[0])
    assert np.array_equal(whole.batch(1, 0)[0][32:48], first[0])
    assert not np.array_equal(photos(**{**ALL, "seed": 8}).batch(1, 2)[0], first[0])


def test_a_sample_looks_different_in_each_epoch() -> None:
    sequence = photos(**ALL)
    pictures = []
    for epoch in (0, 1):
        for position in range(len(sequence)):
            places = np.flatnonzero(sequence.sample_indices(epoch, position) == 11)
            pictures += [sequence.batch(epoch, position)[0][place] for place in places]
    assert len(pictures) == 2
    assert not np.array_equal(*pictures)


def test_channels_first_is_augmented_alike() -> None:
    last, first = photos(**ALL)[0][0], photos(**ALL, data_format="channels_first")[0][0]
    assert np.array_equal(np.moveaxis(first, 1, -1), last)


def gray(tmp_path: Path, pixels: np.ndarray, **options) -> np.ndarray:
    """The pictures of fifty epochs of one image."""
    (tmp_path / "one").mkdir(exist_ok=True)
    Image.fromarray(pixels).save(tmp_path / "one" / "1.png")
    source = ImageFolderSource(tmp_path)
    sequence = build(
        AugmentedImageSequence, source, np.arange(1), 1, 7, True, image_size=pixels.shape, color="gray", **options
    )
    return np.stack([sequence.batch(epoch, 0)[0][0, ..., 0] for epoch in range(50)])


def test_brightness_moves_every_pixel_alike_and_clips_at_white(tmp_path: Path) -> None:
    pictures = gray(tmp_path, np.array([[100, 150], [150, 250]], dtype=np.uint8), brightness=0.2).astype(int)
    moved = pictures[:, 0, 0] - 100
    assert moved.min() < -40
    assert moved.max() > 40
    assert abs(moved).max() <= 51  # 0.2 of 255
    assert np.array_equal(pictures[:, 0, 1], 150 + moved)
    assert np.array_equal(pictures[:, 1, 1], np.minimum(250 + moved, 255))


def test_contrast_moves_pixels_about_middle_gray(tmp_path: Path) -> None:
    pictures = gray(tmp_path, np.array([[27, 228]], dtype=np.uint8), contrast=0.5)
    distances = pictures[:, 0].astype(float) - 127.5
    assert np.allclose(distances[:, 0], -distances[:, 1], atol=1)
    assert 50 <= distances[:, 1].min() < 60
    assert 120 < distances[:, 1].max() <= 127.5


def test_a_random_crop_is_a_window_of_the_picture_read_larger(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    larger = np.empty((50, 50), dtype=np.uint8)
    (tmp_path / "one").mkdir()
    Image.fromarray(pixels).save(tmp_path / "one" / "1.png")
    source = ImageFolderSource(tmp_path)
    plain = build(ImageSequence, source, np.arange(1), 1, 7, False, image_size=(50, 50), color="gray")
    larger[...] = plain[0][0][0, ..., 0]
    corners = set()
    for picture in gray(tmp_path, pixels, random_crop=0.8):
        places = [
            (top, left)
            for top in range(11)
            for left in range(11)
            if np.array_equal(larger[top : top + 40, left : left + 40], picture)
        ]
        assert len(places) == 1
        corners.add(places[0])
    assert len(corners) > 20


def test_rotation_fills_with_the_edge_and_leaves_a_flat_picture_flat(tmp_path: Path) -> None:
    pictures = gray(tmp_path, np.full((16, 16), 90, dtype=np.uint8), rotation=180.0, shift=0.3, zoom=0.5)
    assert (pictures == 90).all()


def test_the_unaugmented_sample_can_be_had_beside_the_augmented() -> None:
    augmented = photos(**ALL)
    plain, as_read = augmented.without_augmentation(), photos(ImageSequence)
    for epoch in (0, 3):
        (x, y), (expected_x, expected_y) = plain.batch(epoch, 0), as_read.batch(epoch, 0)
        assert np.array_equal(x, expected_x)
        assert np.array_equal(y, expected_y)
        assert not np.array_equal(augmented.batch(epoch, 0)[0], x)
