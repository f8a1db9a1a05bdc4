import numpy as np
import pytest

from seqtrain.sequences import boxes

CUBE = (1.0, 1.0, 1.0)


def grid_corners(*of):
    return [boxes.grid_corner(number, *of) for number in range(boxes.num_grid_boxes(*of))]


@pytest.mark.parametrize("shape", [(5, 7, 9), (4, 4, 4), (3, 20, 8)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
def test_a_grid_covers_every_voxel_and_stays_inside(shape, overlap):
    size = (3, 4, 5)
    covered = np.zeros(shape, dtype=int)
    corners = grid_corners(shape, size, overlap)
    for z, y, x in corners:
        covered[max(z, 0) : z + 3, max(y, 0) : y + 4, max(x, 0) : x + 5] += 1
        for at, side, length in zip((z, y, x), size, shape, strict=True):
            assert side > length or 0 <= at <= length - side
    assert covered.min() >= 1
    assert len(set(corners)) == len(corners) == boxes.num_grid_boxes(shape, size, overlap)


def test_the_last_box_is_shifted_inwards():
    assert [x for _, _, x in grid_corners((1, 1, 10), (1, 1, 4), 0.0)] == [0, 4, 6]
    assert [x for _, _, x in grid_corners((1, 1, 8), (1, 1, 4), 0.0)] == [0, 4]
    assert [x for _, _, x in grid_corners((1, 1, 8), (1, 1, 4), 0.5)] == [0, 2, 4]


@pytest.mark.parametrize(("side", "overlap", "step"), [(10, 0.8, 2), (20, 0.9, 2), (100, 0.9, 10), (10, 0.75, 2)])
def test_boxes_overlap_by_no_more_than_whole_voxels_need(side, overlap, step):
    starts = [x for _, _, x in grid_corners((1, 1, side + 2 * step), (1, 1, side), overlap)]
    assert starts == [0, step, 2 * step]


def test_a_volume_smaller_than_the_box_lies_in_its_middle():
    assert grid_corners((2, 5, 9), (4, 4, 8), 0.0) == [(-1, 0, 0), (-1, 0, 1), (-1, 1, 0), (-1, 1, 1)]
    assert boxes.corner_at(np.array([0.9, 0.0, 0.999]), (2, 5, 9), (4, 4, 8)) == (-1, 0, 1)
    assert boxes.corner_around(np.array([1, 4, 0]), (2, 5, 9), (4, 4, 8)) == (-1, 1, 0)


def test_a_random_corner_reaches_every_place_alike():
    fractions = (np.arange(700) + 0.5) / 700
    starts = [boxes.corner_at(np.array([0.0, 0.0, f]), (1, 1, 10), (1, 1, 4))[2] for f in fractions]
    assert np.bincount(starts).tolist() == [100] * 7


def test_a_voxel_is_in_the_middle_of_its_box_unless_the_edge_is_near():
    assert boxes.corner_around(np.array([10, 10, 10]), (20, 20, 20), (4, 5, 6)) == (8, 8, 7)
    assert boxes.corner_around(np.array([0, 19, 10]), (20, 20, 20), (4, 5, 6)) == (0, 15, 7)


def test_a_grown_box_has_the_same_middle():
    assert boxes.enlarged_corner((3, 3, 3), (2, 4, 5), (2, 8, 7)) == (3, 1, 2)


def test_what_is_cut_out_is_as_numpy_pads_it():
    volume = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    windows = []

    def read(window):
        windows.append(window)
        return volume[window]

    box = boxes.cut_out(read, volume.shape, (-2, 1, 3), (8, 3, 4), fill=lambda inside: -inside.max())
    inside = volume[0:4, 1:4, 3:6]
    np.testing.assert_array_equal(box, np.pad(inside, ((2, 2), (0, 0), (0, 1)), constant_values=-inside.max()))
    assert windows == [(slice(0, 4), slice(1, 4), slice(3, 6))]


def test_stretch_shows_all_in_all_of_the_box():
    fitted = boxes.fit_box((10, 20, 30), (3.0, 1.0, 1.0), (8, 8, 8), "stretch")
    assert fitted.read == (slice(0, 10), slice(0, 20), slice(0, 30))
    assert fitted.placed == (slice(0, 8),) * 3
    assert fitted.spacing_mm == (30 / 8, 20 / 8, 30 / 8)


def test_crop_keeps_the_proportions_in_millimetres():
    # 30 x 60 x 40 mm into cubes of 30/10 = 3 mm: of the height 30 of 60 mm are kept, of the width 30 of 40.
    fitted = boxes.fit_box((10, 60, 40), (3.0, 1.0, 1.0), (10, 10, 10), "crop")
    assert fitted.read == (slice(0, 10), slice(15, 45), slice(5, 35))
    assert fitted.placed == (slice(0, 10),) * 3
    assert fitted.spacing_mm == (3.0, 3.0, 3.0)


def test_pad_shows_all_in_the_middle_with_cubic_voxels():
    # 30 x 60 x 40 mm into cubes of 60/12 = 5 mm: 6 x 12 x 8 voxels.
    fitted = boxes.fit_box((10, 60, 40), (3.0, 1.0, 1.0), (12, 12, 12), "pad")
    assert fitted.read == (slice(0, 10), slice(0, 60), slice(0, 40))
    assert fitted.placed == (slice(3, 9), slice(0, 12), slice(2, 10))
    assert fitted.spacing_mm == (5.0, 5.0, 5.0)


def test_a_slab_keeps_at_least_one_slice():
    assert boxes.fit_box((1, 100, 100), CUBE, (16, 16, 16), "pad").placed == (
        slice(7, 8),
        slice(0, 16),
        slice(0, 16),
    )
    assert boxes.fit_box((100, 100, 1), CUBE, (16, 16, 16), "crop").read == (
        slice(49, 50),
        slice(49, 50),
        slice(0, 1),
    )
