"""What workers note of samples in many calls less than samples, against NumPy sample by sample."""

import numpy as np
import pytest

from seqtrain.reports.fields import Field
from seqtrain.reports.sample_facts import _thumbnails


def areas(picture: np.ndarray) -> np.ndarray:
    """The means of 8 x 9 areas, by way of a picture whose sides they divide."""
    rows, columns = picture.shape
    fine = picture.astype(float).repeat(8, axis=0).repeat(9, axis=1)
    return fine.reshape(8, rows, 9, columns).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [(8, 8), (3, 5), (28, 28), (64, 64), (100, 75), (224, 144), (1, 1), (33, 400)])
def test_thumbnails_are_the_means_of_areas(size):
    down, across = np.linspace(0, 6, size[0])[:, None], np.linspace(0, 8, size[1])
    pictures = np.stack([127 + 60 * np.sin(down + turn) + 60 * np.cos(across * turn) for turn in range(5)])
    pictures = pictures.astype(np.uint8)
    found = _thumbnails(Field("x", pictures, "pixels", True), "channels_last")
    wanted = np.stack([areas(picture) for picture in pictures])
    assert found.shape == (5, 8, 9)
    assert np.abs(found - wanted).max() <= 3  # rounded at each halving


@pytest.mark.parametrize("num_channels", [1, 3, 4])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_colours_are_made_gray(num_channels, data_format):
    gray = np.random.default_rng(1).integers(0, 256, (4, 16, 18), np.uint8)
    axis = -1 if data_format == "channels_last" else 1
    pictures = np.stack([gray] * num_channels, axis=axis)
    found = _thumbnails(Field("x", pictures, "pixels", True), data_format)
    np.testing.assert_array_equal(found, _thumbnails(Field("x", gray, "pixels", True), data_format))


def test_each_picture_of_floats_is_spread_by_its_own_range_whatever_that_is():
    steps = np.tile(np.linspace(0, 1, 9, dtype=np.float32), (8, 1))
    lowest = np.full((8, 9), np.finfo(np.float32).min, np.float32)
    lowest[:, 4:] = np.finfo(np.float32).max
    pictures = np.stack(
        [steps, steps * 1e6 - 500, np.full((8, 9), 7, np.float32), lowest, np.where(steps > 0, steps, np.nan)]
    )
    found = _thumbnails(Field("x", pictures, "pixels", True), "channels_last")
    wanted = (steps * 255).astype(np.uint8)
    for row in (0, 1, 4):
        assert np.abs(found[row].astype(int) - wanted).max() <= 1
    assert not found[2].any()
    assert found[3][:, :4].max() == 0 and found[3][:, 4:].min() >= 254
