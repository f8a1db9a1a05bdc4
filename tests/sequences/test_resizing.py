import numpy as np
import pytest
from PIL import Image

from seqtrain.sequences.resizing import fit, scaled_size


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
