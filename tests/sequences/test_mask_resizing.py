import numpy as np
import pytest
from PIL import Image

from seqtrain.sequences.mask_resizing import fit_mask, shrunk_size
from seqtrain.sequences.resizing import fit

IDS = np.random.default_rng(2).integers(0, 200, (20, 30), dtype=np.uint8)


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


def test_padding_may_have_an_id_of_its_own() -> None:
    padded = fitted(IDS, (40, 30), "pad", padding_id=255)
    assert (padded[:10] == 255).all()
    assert (padded[30:] == 255).all()
    assert np.array_equal(padded[10:30], IDS)


def test_rows_beside_stay_untouched() -> None:
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
