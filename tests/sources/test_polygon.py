import numpy as np
import pytest
from matplotlib.path import Path
from PIL import Image, ImageDraw

from seqtrain.sources.polygon import fill_polygons


def drawn(points, size):
    return whole(fill_polygons([np.array(points, dtype=np.float64).reshape(-1, 2)], size)[0], size)


def whole(part, size):
    region, top, left = part
    mask = np.zeros(size, dtype=bool)
    mask[top : top + region.shape[0], left : left + region.shape[1]] = region
    return mask


def rectangle(rows, columns, size):
    mask = np.zeros(size, dtype=bool)
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize(
    ("points", "rows", "columns"),
    [
        ([1, 2, 4, 2, 4, 5, 1, 5], slice(2, 5), slice(1, 4)),
        ([1, 5, 4, 5, 4, 2, 1, 2], slice(2, 5), slice(1, 4)),  # the other way round
        ([0, 0, 8, 0, 8, 6, 0, 6], slice(0, 6), slice(0, 8)),
        ([-3, -3, 2, -3, 2, 9, -3, 9], slice(0, 6), slice(0, 2)),  # cut off at the edges
        ([5, 4, 20, 4, 20, 20, 5, 20], slice(4, 6), slice(5, 8)),
        ([1.4, 2.4, 3.6, 2.4, 3.6, 4.6, 1.4, 4.6], slice(2, 5), slice(1, 4)),  # holds the centres of 3 x 3 pixels
        ([1.6, 2.4, 3.6, 2.4, 3.6, 4.4, 1.6, 4.4], slice(2, 4), slice(2, 4)),  # and of 2 x 2
        ([1.6, 1, 2.4, 1, 2.4, 5, 1.6, 5], slice(0, 0), slice(0, 0)),  # between centres
    ],
)
def test_a_rectangle_holds_the_pixels_whose_centres_it_holds(points, rows, columns):
    assert drawn(points, (6, 8)).tolist() == rectangle(rows, columns, (6, 8)).tolist()


def test_neighbours_share_no_pixel_and_leave_none_out():
    left, right = [0, 0, 3.5, 0, 4.5, 6, 0, 6], [3.5, 0, 8, 0, 8, 6, 4.5, 6]
    counts = drawn(left, (6, 8)).astype(int) + drawn(right, (6, 8))
    assert (counts == 1).all()


def test_where_a_polygon_crosses_itself_the_even_odd_rule_holds():
    twice = [0, 0, 6, 0, 6, 6, 0, 6, 0, 0, 2, 2, 4, 2, 4, 4, 2, 4, 2, 2]  # the outer square, then the inner
    expected = rectangle(slice(0, 6), slice(0, 6), (6, 6)) ^ rectangle(slice(2, 4), slice(2, 4), (6, 6))
    assert drawn(twice, (6, 6)).tolist() == expected.tolist()


def star(generator, number):
    angles = np.sort(generator.random(number)) * 2 * np.pi
    radii = generator.uniform(4, 24, number)
    return np.stack([28 + radii * np.cos(angles), 33 + radii * np.sin(angles)], axis=1)


@pytest.mark.parametrize("number", [3, 4, 7, 12, 30, 100])
def test_polygons_are_as_matplotlib_sees_their_pixel_centres(number):
    points = star(np.random.default_rng(number), number)
    rows, columns = np.mgrid[:64, :60] + 0.5
    closed = Path(np.concatenate([points, points[:1]]))
    expected = closed.contains_points(np.stack([columns, rows], axis=-1).reshape(-1, 2)).reshape(64, 60)
    assert drawn(points, (64, 60)).tolist() == expected.tolist()


def test_polygons_are_as_pillow_draws_them_at_sixteen_times_the_size():
    points = star(np.random.default_rng(5), 9)
    fine = Image.new("1", (60 * 16, 64 * 16))
    ImageDraw.Draw(fine).polygon([tuple(point) for point in (points * 16 - 0.5).tolist()], fill=1)
    covered = np.asarray(fine).reshape(64, 16, 60, 16).mean(axis=(1, 3))
    mask = drawn(points, (64, 60))
    assert mask[covered > 0.75].all()
    assert not mask[covered < 0.25].any()
    assert 0.99 < mask.sum() / covered.sum() < 1.01


def test_many_polygons_are_filled_as_each_alone():
    generator = np.random.default_rng(3)
    outside = np.array([[70.0, 5.0], [90.0, 5.0], [90.0, 30.0]])  # right of the picture
    between = np.array([[1.6, 1.0], [2.4, 1.0], [2.4, 5.0], [1.6, 5.0]])  # two columns of centres
    stars = [star(generator, number) + generator.uniform(-40, 40, 2) for number in (3, 5, 9, 40, 4)]
    polygons = [outside, *stars[:2], between, *stars[2:], between - 30, outside.round()]
    together = fill_polygons(polygons, (64, 60))
    assert len(together) == len(polygons)
    for part, polygon in zip(together, polygons, strict=True):
        assert np.array_equal(whole(part, (64, 60)), drawn(polygon, (64, 60)))
        assert part[0].flags.f_contiguous


def test_points_far_outside_are_cut_off():
    far = [-1e300, 2, 1e300, 2, 1e300, 4, -1e300, 4]
    assert drawn(far, (6, 8)).tolist() == rectangle(slice(2, 4), slice(0, 8), (6, 8)).tolist()
    assert drawn([2, -1e18, 5, -1e18, 5, 1e18, 2, 1e18], (6, 8)).sum() == 3 * 6


def test_no_polygons_are_no_regions():
    assert fill_polygons([], (6, 8)) == []
