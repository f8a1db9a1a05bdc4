import numpy as np
import pytest
from PIL import Image

from seqtrain.sequences.resizing import fit, fit_mask, scaled_size, shrunk_size

IDS = np.random.default_rng(2).integers(0, 200, (20, 30), dtype=np.uint8)


def resized(picture: np.ndarray, size: tuple[int, int], resize: str) -> np.ndarray:
    """Into the middle one of three rows, so that a write beside the row shows."""
    rows = np.full((3, *size, *picture.shape[2:]), 77, dtype=np.uint8)
    fit(picture, rows[1], resize)
    assert (rows[[0, 2]] == 77).all()
    return rows[1]


def test_shrinking_averages_each_area() -> None:
    picture = np.array([[0, 10, 100, 100], [20, 30, 100, 200]], dtype=np.uint8)
    assert resized(picture, (1, 2), "stretch").tolist() == [[15, 125]]


def test_a_picture_of_the_right_size_is_copied() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for resize in ("stretch", "crop", "pad"):
        assert np.array_equal(resized(picture, (5, 7), resize), picture)


@pytest.mark.parametrize("size", [(20, 30), (7, 11), (40, 8)])
def test_colour_pictures_are_scaled_as_pillow_does(size: tuple[int, int]) -> None:
    picture = np.zeros((10, 15, 3), dtype=np.uint8)
    picture[...] = np.add.outer(np.arange(10) * 10, np.arange(15) * 8)[..., None] + [0, 5, 30]
    expected = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(resized(picture, size, "stretch") - expected).max() <= 4


def test_shrinking_one_side_while_the_other_grows_does_not_alias() -> None:
    stripes = np.zeros((100, 4), dtype=np.uint8)
    stripes[::2] = 200
    assert (resized(stripes, (10, 8), "stretch") == 100).all()


def test_crop_keeps_the_middle() -> None:
    picture = np.zeros((4, 10), dtype=np.uint8)
    picture[:, 3:7] = 50
    assert (resized(picture, (2, 2), "crop") == 50).all()
    assert (resized(picture.T.copy(), (8, 8), "crop") == 50).all()


def test_pad_keeps_all_and_surrounds_it_with_black() -> None:
    wide = np.full((2, 4, 3), 9, dtype=np.uint8)
    result = resized(wide, (4, 4), "pad")
    assert (result[1:3] == 9).all()
    assert (result[[0, 3]] == 0).all()
    high = resized(np.full((9, 3), 9, dtype=np.uint8), (3, 5), "pad")
    assert high.tolist() == [[0, 0, 9, 0, 0]] * 3


def test_extreme_proportions_keep_at_least_a_pixel() -> None:
    line = np.full((1, 500), 9, dtype=np.uint8)
    assert (resized(line, (4, 4), "crop") == 9).all()
    assert (resized(line, (4, 4), "pad") == 9).sum() == 4


def test_the_scaled_size_covers_the_row_for_crop_and_fits_it_for_pad() -> None:
    assert scaled_size((375, 500), (224, 224), "stretch") == (224, 224)
    assert scaled_size((375, 500), (224, 224), "crop") == (224, 299)
    assert scaled_size((375, 500), (224, 224), "pad") == (168, 224)


def fitted(mask: np.ndarray, size: tuple[int, int], resize: str, **options) -> np.ndarray:
    row = np.full(size, 99, dtype=np.uint8)
    fit_mask(mask, row, resize, **options)
    return row


@pytest.mark.parametrize("size", [(20, 30), (40, 60), (11, 17), (7, 40), (1, 1)])
def test_stretching_takes_the_pixel_that_pillow_takes_as_nearest(size: tuple[int, int]) -> None:
    expected = Image.fromarray(IDS).resize(size[::-1], Image.Resampling.NEAREST)
    assert np.array_equal(fitted(IDS, size, "stretch"), np.asarray(expected))


@pytest.mark.parametrize(
    ("resize", "size"), [("crop", (20, 12)), ("crop", (20, 30)), ("pad", (32, 30)), ("pad", (20, 35))]
)
def test_at_the_same_scale_mask_and_picture_are_cut_and_padded_by_the_same_pixels(resize, size) -> None:
    picture = np.full(size, 99, dtype=np.uint8)
    fit(IDS, picture, resize)
    assert np.array_equal(fitted(IDS, size, resize), picture)


@pytest.mark.parametrize("size", [(12, 12), (12, 18), (18, 12)])
def test_a_mask_of_blocks_shrunk_to_a_third_is_the_blocks_cut_and_padded_alike(size) -> None:
    blocks = np.random.default_rng(3).integers(1, 200, size, dtype=np.uint8)
    mask = np.kron(blocks, np.ones((3, 3), np.uint8))
    top, left = (size[0] - 12) // 2, (size[1] - 12) // 2
    assert np.array_equal(fitted(mask, (12, 12), "crop"), blocks[top : top + 12, left : left + 12])
    if max(size) == 18:
        below, right = (18 - size[0]) // 2, (18 - size[1]) // 2
        expected = np.pad(blocks, ((below, below), (right, right)))
        assert np.array_equal(fitted(mask, (18, 18), "pad"), expected)


def test_padding_of_a_mask_may_have_an_id_of_its_own() -> None:
    padded = fitted(IDS, (40, 30), "pad", padding_id=255)
    assert (padded[:10] == 255).all()
    assert (padded[30:] == 255).all()
    assert np.array_equal(padded[10:30], IDS)


def test_rows_beside_that_of_a_mask_stay_untouched() -> None:
    rows = np.full((3, 10, 10), 77, dtype=np.uint8)
    for resize in ("stretch", "crop", "pad"):
        fit_mask(IDS, rows[1], resize)
        assert (rows[[0, 2]] == 77).all()


@pytest.mark.parametrize(
    ("size", "resize", "shrunk"),
    [
        ((3024, 4032), "stretch", (378, 504)),
        ((3024, 4040), "crop", (756, 1010)),  # 508 columns are cut off on each side: no eighth of them is whole
        ((3024, 4032), "pad", (378, 504)),
        ((3012, 4032), "pad", (753, 1008)),  # a quarter is the most that leaves no row over
        ((3023, 4032), "stretch", (3023, 4032)),
        ((300, 400), "stretch", (300, 400)),  # half of it is less than is wanted
    ],
)
def test_a_picture_is_shrunk_by_what_divides_all_its_lengths(size, resize, shrunk) -> None:
    assert shrunk_size(size, (224, 224), resize) == shrunk
