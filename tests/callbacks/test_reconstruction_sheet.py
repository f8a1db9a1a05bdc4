import numpy as np
import pytest

from seqtrain.callbacks.reconstruction_sheet import as_bytes, reconstruction_sheet

RED, GREEN, GRAY = (255, 0, 0), (0, 255, 0), (128, 128, 128)


def flat(color, count=3, size=(6, 4)):
    return np.broadcast_to(np.array(color, dtype=np.uint8), (count, *size, len(color)))


def count_of(sheet, color):
    return int((np.asarray(sheet) == color).all(axis=-1).sum())


def test_each_row_shows_its_pictures_enlarged_by_a_whole_factor():
    sheet = reconstruction_sheet({"input": flat(RED), "reconstruction": flat(GREEN)}, "after epoch 5")
    # 6 x 4 pixels grow twelvefold, so that the longer side has 72.
    assert count_of(sheet, RED) == count_of(sheet, GREEN) == 3 * 72 * 48
    pixels = np.asarray(sheet)
    assert (
        np.argwhere((pixels == RED).all(axis=-1))[:, 0].max() < np.argwhere((pixels == GREEN).all(axis=-1))[:, 0].min()
    )


def test_gray_floats_are_shown_from_0_to_1_whatever_their_range():
    sheet = reconstruction_sheet({"reconstruction": np.full((1, 8, 8, 1), 0.5, dtype=np.float32)}, "at the end")
    assert count_of(sheet, GRAY) == pytest.approx(72 * 72, abs=20)  # letters have gray edges


def test_floats_become_bytes_and_what_lies_outside_is_clipped():
    values = np.array([-0.2, 0.0, 0.2, 1.0, 1.5, np.nan])
    assert as_bytes(values).tolist() == [0, 0, 51, 255, 255, 0]


def test_large_pictures_shrink():
    sheet = reconstruction_sheet({"input": flat(RED, 2, (1000, 500))}, "at the end")
    assert count_of(sheet, RED) == 2 * 192 * 96


@pytest.mark.parametrize(("channels", "shown"), [(2, (9, 9, 9)), (4, (9, 8, 7)), (5, (9, 9, 9))])
def test_pictures_of_other_channels_are_shown_too(channels, shown):
    pictures = np.arange(9, 9 - channels, -1, dtype=np.uint8) * np.ones((1, 8, 8, 1), dtype=np.uint8)
    assert count_of(reconstruction_sheet({"input": pictures}, "at the end"), shown) == 72 * 72


def test_words_are_not_cut_off_where_there_are_few_pictures():
    narrow = reconstruction_sheet({"input": flat(RED, 1)}, "a title that is longer than a picture is wide")
    assert narrow.width > 300
