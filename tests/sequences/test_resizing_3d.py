import numpy as np
import pytest
from PIL import Image

from seqtrain.sequences.resizing_3d import fit, resample

CUBE = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("size", [(5, 9), (13, 31), (40, 12), (20, 30), (1, 1)])
def test_a_plane_is_resampled_as_pillow_does(size):
    plane = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR))
    for axis in range(3):  # the plane stands across each axis in turn
        volume = np.repeat(np.expand_dims(plane, axis), 3, axis=axis)
        wanted = [*size]
        wanted.insert(axis, 3)
        result = resample(volume, tuple(wanted))
        for part in np.moveaxis(result, axis, 0):
            np.testing.assert_allclose(part, expected, atol=1e-5)


def test_the_same_size_is_the_same_volume():
    volume = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    assert resample(volume, (3, 4, 5)) is volume


def test_stretch_shows_all_in_all_of_the_box():
    fitted = fit((10, 20, 30), (3.0, 1.0, 1.0), (8, 8, 8), "stretch")
    assert fitted.read == (slice(0, 10), slice(0, 20), slice(0, 30))
    assert fitted.placed == (slice(0, 8),) * 3
    assert fitted.spacing_mm == (30 / 8, 20 / 8, 30 / 8)


def test_crop_keeps_the_proportions_in_millimetres():
    # 30 x 60 x 40 mm into cubes of 30/10 = 3 mm: of the height 30 of 60 mm are kept, of the width 30 of 40.
    fitted = fit((10, 60, 40), (3.0, 1.0, 1.0), (10, 10, 10), "crop")
    assert fitted.read == (slice(0, 10), slice(15, 45), slice(5, 35))
    assert fitted.placed == (slice(0, 10),) * 3
    assert fitted.spacing_mm == (3.0, 3.0, 3.0)


def test_pad_shows_all_in_the_middle_with_cubic_voxels():
    # 30 x 60 x 40 mm into cubes of 60/12 = 5 mm: 6 x 12 x 8 voxels.
    fitted = fit((10, 60, 40), (3.0, 1.0, 1.0), (12, 12, 12), "pad")
    assert fitted.read == (slice(0, 10), slice(0, 60), slice(0, 40))
    assert fitted.placed == (slice(3, 9), slice(0, 12), slice(2, 10))
    assert fitted.spacing_mm == (5.0, 5.0, 5.0)


def test_a_slab_keeps_at_least_one_slice():
    assert fit((1, 100, 100), CUBE, (16, 16, 16), "pad").placed == (slice(7, 8), slice(0, 16), slice(0, 16))
    assert fit((100, 100, 1), CUBE, (16, 16, 16), "crop").read == (slice(49, 50), slice(49, 50), slice(0, 1))
