import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from seqtrain.sources.resampling import Resampling, resized
from seqtrain.sources.volume_file import full_window

SHAPE, STORED = (7, 9, 10), (4.0, 1.5, 1.0)
VOXELS = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def places(shape, wanted):
    """Where the middles of the new voxels lie among the old ones, for SciPy."""
    axes = [(np.arange(n) + 0.5) * new / old - 0.5 for n, old, new in zip(shape, STORED, wanted, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


@pytest.mark.parametrize("wanted", [(1.0, 1.0, 1.0), (5.0, 2.0, 2.5), (4.0, 1.0, 1.0)])
def test_values_are_linear_between_voxels_as_scipy_interpolates(wanted):
    resampling = Resampling(SHAPE, STORED, wanted)
    new = resampling.linear(VOXELS, full_window(resampling.shape))
    expected = ndimage.map_coordinates(VOXELS, places(resampling.shape, wanted), order=1, mode="nearest")
    assert new.dtype == np.float32
    assert np.allclose(new, expected, atol=1e-5)


@pytest.mark.parametrize("wanted", [(1.0, 1.0, 1.0), (5.0, 2.0, 2.5), (3.0, 1.1, 0.7)])
def test_a_window_is_made_from_what_it_needs_as_the_whole_is_from_all(wanted):
    resampling = Resampling(SHAPE, STORED, wanted)
    mask = (VOXELS > 0).astype(np.uint8)
    all_values = resampling.linear(VOXELS, full_window(resampling.shape))
    all_ids = resampling.nearest(mask, full_window(resampling.shape))
    assert all_values.shape == all_ids.shape == resampling.shape
    depth, height, width = resampling.shape
    for window in (
        (slice(0, 1), slice(1, 2), slice(width - 1, width)),
        (slice(depth - 2, depth), slice(0, height), slice(2, 3)),
        (slice(1, 4), slice(2, 5), slice(1, 4)),
    ):
        needed = resampling.needed(window)
        assert np.array_equal(resampling.linear(VOXELS[needed], window), all_values[window])
        assert np.array_equal(resampling.nearest(mask[needed], window), all_ids[window])


def test_a_window_needs_little_more_than_its_own_place():
    resampling = Resampling((100, 100, 100), (5.0, 1.0, 1.0), (1.0, 2.0, 1.0))
    assert resampling.shape == (500, 50, 100)
    # 50 to 60 of 1 mm are 10 to 12 of 5 mm; 10 to 20 of 2 mm are 20 to 40 of 1 mm; and one voxel more at each side
    assert resampling.needed((slice(50, 60), slice(10, 20), slice(3, 7))) == (slice(9, 13), slice(20, 40), slice(3, 7))


def test_a_mask_takes_the_voxel_that_the_middle_lies_in():
    mask = np.array([0, 1, 2], np.uint8).reshape(1, 1, 3)
    resampling = Resampling((1, 1, 3), (1.0, 1.0, 3.0), (1.0, 1.0, 1.0))
    assert resampling.nearest(mask, full_window(resampling.shape)).ravel().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_equal_spacing_changes_nothing():
    assert Resampling(SHAPE, STORED, None).is_identity
    assert Resampling(SHAPE, STORED, (4.0001, 1.5, 1.0)).is_identity
    assert not Resampling(SHAPE, STORED, (4.1, 1.5, 1.0)).is_identity


@pytest.mark.parametrize("size", [(5, 9), (13, 31), (40, 12), (20, 30), (1, 1)])
def test_a_plane_is_resampled_as_pillow_does(size):
    plane = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR))
    for axis in range(3):  # the plane stands across each axis in turn
        volume = np.repeat(np.expand_dims(plane, axis), 3, axis=axis)
        wanted = [*size]
        wanted.insert(axis, 3)
        result = resized(volume, tuple(wanted))
        for part in np.moveaxis(result, axis, 0):
            np.testing.assert_allclose(part, expected, atol=1e-5)


def test_the_same_size_is_the_same_volume():
    volume = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    assert resized(volume, (3, 4, 5)) is volume
