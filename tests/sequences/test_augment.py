import numpy as np
import pytest

from seqtrain.sequences.augment import GeometricAugmentation, Geometry, Warp

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def shown(picture: np.ndarray, geometry: Geometry, size: tuple[int, int] | None = None, nearest=False) -> np.ndarray:
    rows = np.full((3, *(size or picture.shape[:2]), *picture.shape[2:]), 77, dtype=np.uint8)
    canvas_size = picture.shape[:2]
    warp = Warp(canvas_size, geometry.matrix(canvas_size, rows.shape[1:3]))
    warp.apply(lambda canvas: np.copyto(canvas, picture), rows[1], nearest)
    assert (rows[[0, 2]] == 77).all()
    return rows[1]


def test_nothing_drawn_is_the_identity() -> None:
    assert np.array_equal(Geometry().matrix((5, 7), (5, 7)), np.eye(2, 3))


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("shape", [(12, 12), (9, 14), (8, 5, 3)])
def test_flips_are_exact(shape: tuple[int, ...], nearest: bool) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(shown(picture, Geometry(flips=(True, False)), nearest=nearest), np.flip(picture, 1))
    assert np.array_equal(shown(picture, Geometry(flips=(False, True)), nearest=nearest), np.flip(picture, 0))
    assert np.array_equal(shown(picture, Geometry(flips=(True, True)), nearest=nearest), np.flip(picture, (0, 1)))


@pytest.mark.parametrize("quarters", [-1, 1, 2, 3])
@pytest.mark.parametrize("nearest", [False, True])
def test_quarter_turns_are_exact_and_counter_clockwise(quarters: int, nearest: bool) -> None:
    turned = shown(PICTURE, Geometry(rotation_degrees=90 * quarters), nearest=nearest)
    assert np.array_equal(turned, np.rot90(PICTURE, quarters))


def test_a_flip_comes_before_a_turn() -> None:
    turned = shown(PICTURE, Geometry(flips=(True, False), rotation_degrees=90))
    assert np.array_equal(turned, np.rot90(np.flip(PICTURE, 1)))


def test_rotation_keeps_the_middle_where_it_is() -> None:
    picture = np.zeros((11, 21), dtype=np.uint8)
    picture[5, 10] = 255
    for degrees in (3, 17, 45, 100):
        assert shown(picture, Geometry(rotation_degrees=degrees))[5, 10] == 255


def test_beyond_the_edge_lies_the_nearest_pixel_of_the_edge() -> None:
    picture = np.arange(4, dtype=np.uint8).repeat(4).reshape(4, 4).T.copy()
    assert shown(picture, Geometry(shift=(0.5, 0.0)))[0].tolist() == [0, 0, 0, 1]
    assert shown(picture.T.copy(), Geometry(shift=(0.0, -0.25)))[:, 0].tolist() == [1, 2, 3, 3]


def test_zoom_enlarges_about_the_middle() -> None:
    picture = np.zeros((9, 9), dtype=np.uint8)
    picture[3:6, 3:6] = 200
    enlarged = shown(picture, Geometry(zoom=3.0), nearest=True)
    assert (enlarged == 200).all()
    shrunk = shown(picture, Geometry(zoom=1 / 3), nearest=True)
    assert np.argwhere(shrunk).tolist() == [[4, 4]]


@pytest.mark.parametrize(("window", "top", "left"), [((0.0, 0.0), 0, 0), ((0.99, 0.0), 0, 4), ((0.5, 0.99), 6, 2)])
def test_a_window_of_a_larger_canvas_is_cut_out_exactly(window: tuple[float, float], top: int, left: int) -> None:
    cut = shown(PICTURE, Geometry(window=window), size=(6, 8))
    assert np.array_equal(cut, PICTURE[top : top + 6, left : left + 8])


def test_a_mask_warped_with_nearest_has_no_new_ids() -> None:
    mask = np.where(np.add.outer(np.arange(20), np.arange(20)) > 19, 9, 4).astype(np.uint8)
    turned = shown(mask, Geometry(rotation_degrees=33, zoom=1.3), nearest=True)
    assert set(np.unique(turned)) == {4, 9}


def test_what_is_drawn_lies_in_the_range_and_fills_it() -> None:
    generator = np.random.default_rng(0)
    drawn = [GeometricAugmentation(0.25, 1.0, 30, 0.1, 0.2).draw_geometry(generator) for _ in range(2000)]
    assert np.mean([g.flips[0] for g in drawn]) == pytest.approx(0.25, abs=0.04)  # 4 standard deviations
    assert all(g.flips[1] for g in drawn)
    for values, low, high in (
        ([g.rotation_degrees for g in drawn], -30, 30),
        ([g.zoom for g in drawn], 0.8, 1.2),
        ([side for g in drawn for side in g.shift], -0.1, 0.1),
    ):
        assert low <= min(values) < low + (high - low) / 50
        assert high - (high - low) / 50 < max(values) <= high


def test_one_range_does_not_change_what_another_draws() -> None:
    alone = GeometricAugmentation(rotation=30).draw_geometry(np.random.default_rng(5))
    both = GeometricAugmentation(rotation=30, shift=0.5, horizontal_flip=0.5).draw_geometry(np.random.default_rng(5))
    assert alone.rotation_degrees == both.rotation_degrees


def test_where_nothing_can_change_the_picture_is_read_as_it_is_and_as_many_numbers_are_drawn() -> None:
    drawn, passed = np.random.default_rng(3), np.random.default_rng(3)
    assert np.array_equal(GeometricAugmentation().draw_geometry(drawn).matrix((5, 7), (5, 7)), np.eye(2, 3))
    assert GeometricAugmentation().draw(passed, (5, 7)).matrix is None
    assert drawn.random() == passed.random()
