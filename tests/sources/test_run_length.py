import re

import numpy as np
import pytest

from seqtrain.sources.run_length import MaskDecodingError, region_of_counts, region_of_pairs, uncompressed

# Three rows, four columns; numbered 1 to 12 down the columns.
DRAWN = np.array([[0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 1]], dtype=bool)  # pixels 2 to 5, and 12


PAIRS = "pairs of start and length, or a blank cell where there is no object"


def whole(text, size):
    region, left = region_of_pairs(text, size)
    mask = np.zeros(size, dtype=bool)
    mask[:, left : left + region.shape[1]] = region
    return mask


def test_pairs_count_from_one_down_the_columns():
    assert whole("2 4 12 1", (3, 4)).tolist() == DRAWN.tolist()


def test_pairs_are_decoded_in_their_own_columns_alone():
    region, left = region_of_pairs("5 1 8 2", (3, 4))
    assert (region.tolist(), left) == ([[False, False], [True, True], [False, True]], 1)


def test_blank_pairs_are_an_empty_mask():
    assert not whole("  ", (3, 4)).any()


@pytest.mark.parametrize("text", ["2  4 12 1 ", "2\t4\t12\t1", "+2 4 012 1", "2 4\n12 1"])
def test_numbers_may_be_written_in_several_ways(text):
    assert whole(text, (3, 4)).tolist() == DRAWN.tolist()


def test_runs_that_touch_are_two_runs_of_one_mask():
    assert whole("1 5 6 7", (3, 4)).all()


def test_counts_begin_with_the_pixels_outside():
    assert region_of_counts([1, 4, 6, 1], (3, 4)).tolist() == DRAWN.tolist()
    assert region_of_counts([0, 12], (3, 4)).all()


def test_compressed_counts_by_hand():
    # Counts 4 3 4 2 7: the first three as they are; then 2 - 3 = -1, all five bits set, which is code 48 + 31, "O";
    # then 7 - 4 = 3.
    assert uncompressed("434O3") == [4, 3, 4, 2, 7]
    # 100 = 3 * 32 + 4: the digit 4 with 32 for "more" is code 48 + 36, "T"; then 3. 16 needs a second digit, 0, lest
    # its highest bit be taken for the sign: code 48 + 48, "`", then "0".
    assert uncompressed("T3`0") == [100, 16]


def test_compressed_counts_of_pycocotools():
    # pycocotools.mask.encode of three rectangles, of a picture of 40 x 60, in version 2.0.11
    mask = np.zeros((40, 60), dtype=bool)
    mask[3:37, 5:10] = mask[20:38, 30:36] = mask[0:2, 50:52] = True
    assert region_of_counts(uncompressed(PYCOCOTOOLS), (40, 60)).tolist() == mask.tolist()


PYCOCOTOOLS = r"[6R160000000ai0@oVO000000000l`0@d_O0P:"


@pytest.mark.parametrize(
    ("text", "message", "expected"),
    [
        ("1 2 3", "a number of the runs is missing: there are 3", PAIRS),
        ("1 2 x 4", "'x' is no whole number", "pairs"),
        ("1.5 2", "'1.5' is no whole number", "pairs"),
        ("0 3", "run 1, '0 3', begins before the first pixel", "starts from 1"),
        ("3 1 -4 2", "run 2, '-4 2', begins before the first pixel", "starts from 1"),
        ("2 0", "run 1, '2 0', covers no pixel", "lengths from 1"),
        ("1 2 12 2", "run 2, '12 2', passes the last pixel", r"at most pixel 12, the last of \(3, 4\)"),
        ("9223372036854775807 9223372036854775807", "run 1.* passes the last pixel", "at most"),
        ("99999999999999999999 1", "'99999999999999999999' is no whole number", "pairs"),
        ("2 4 5 1", "run 2, '5 1', begins before the run before it ends", "ascending order that do not overlap"),
        ("8 2 1 2", "run 2, '1 2', begins before the run before it ends", "ascending"),
    ],
)
def test_bad_pairs_are_told(text, message, expected):
    with pytest.raises(MaskDecodingError, match=message) as caught:
        region_of_pairs(text, (3, 4))
    assert re.search(expected, caught.value.expected)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 4, 6], "the counts sum to 11"),
        ([1, 4, 6, 2], "the counts sum to 13"),
        ([2, -1, 11], "count 2 is -1"),
        ([1.5, 10.5], "not all whole numbers"),
        ([], "not all whole numbers"),
        ([2**63 - 1, 2**63 - 1, 14], "the counts sum to 1844"),
        ([2**70, 1], "not all whole numbers"),
    ],
)
def test_bad_counts_are_told(counts, message):
    with pytest.raises(MaskDecodingError, match=message):
        region_of_counts(counts, (3, 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("43 4", "character 3 of the counts is ' '"),
        ("43p", "character 3 of the counts is 'p'"),
        ("43T", "end within a number"),
        ("oooooooooo0", "the number at character 7 does not end"),
    ],
)
def test_bad_compressed_counts_are_told(text, message):
    with pytest.raises(MaskDecodingError, match=message):
        uncompressed(text)


def test_random_masks_survive_pairs_and_counts_written_by_other_means():
    generator = np.random.default_rng(1)
    for _ in range(20):
        mask = generator.random((7, 5)) < 0.4
        flat = mask.T.reshape(-1).tolist()
        pairs, counts, inside, start = [], [0], False, 0
        for position, value in enumerate([*flat, None]):
            if value != inside:
                if inside:
                    pairs += [start + 1, position - start]
                if value is not None:
                    counts.append(0)
                inside, start = bool(value), position
            if value is not None:
                counts[-1] += 1
        assert whole(" ".join(map(str, pairs)), (7, 5)).tolist() == mask.tolist()
        assert region_of_counts(counts, (7, 5)).tolist() == mask.tolist()
