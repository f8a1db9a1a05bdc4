"""Run-length codes of masks: which pixels an object covers, as the lengths of runs along the columns.

Three formats are in use. In all of them, pixels are counted down the first column, then down the second, and so on:

    pairs         "5 3 12 2": from pixel 5 three pixels, from pixel 12 two; the first pixel is 1 (Kaggle's tables)
    counts        [4, 3, 4, 2, 7]: four pixels outside, three inside, four outside ...; they sum to all pixels (COCO)
    compressed    "434O3": the same counts as text (COCO)

Compressed counts are numbers in base 32, the lowest digit first, one character per digit: its code minus 48 has the
digit in 5 bits, plus 32 if further digits follow. As in signed LEB128, bit 16 of the last digit is the sign. From the
fourth number on, each is the difference to the number two before it, since consecutive runs of an object are similar.

The usual library, pycocotools, is not used, because it reads counts only and does not check them, so that it cannot say
which run of which file is wrong. Decoding takes one pass over the pixels of the mask, or of its columns with runs.

Source: the rules of the 2018 Data Science Bowl (kaggle.com) for pairs; T.-Y. Lin et al., 2014, Microsoft COCO: Common
Objects in Context, and the description in its API, for counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Size = tuple[int, int]  # height, width
Region = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

_PAIRS = "pairs of start and length, or a blank cell where there is no object"
_FIRST_CODE, _LAST_CODE = 48, 111
_DIGIT, _SIGN, _MORE, _BITS = 0x1F, 0x10, 0x20, 5
_MOST_DIGITS = 7  # 35 bits: no image has more pixels
_HIGHEST = np.iinfo(np.int64).max


class MaskDecodingError(ValueError):
    """Runs or an outline that are invalid; the caller adds the file and the line.

    Args:
        message: What is wrong.
        expected: What was expected.
    """

    def __init__(self, message: str, expected: str) -> None:
        super().__init__(message)
        self.expected = expected


def region_of_pairs(text: str, size: Size) -> tuple[Region, int]:
    """Decodes pairs of start and length; blank text means no pixels.

    Returns:
        The columns that hold runs, in their whole height; and the index of the first of them.

    Raises:
        MaskDecodingError: when a number is missing or invalid, or a run is empty, begins before the first pixel or
            before the end of the previous run, or passes the last pixel.
    """
    numbers = _whole_numbers(text)
    if len(numbers) % 2:
        raise MaskDecodingError(f"a number of the runs is missing: there are {len(numbers)}", _PAIRS)
    if not len(numbers):
        return np.zeros((size[0], 0), dtype=np.bool_), 0
    starts, lengths = numbers[::2], numbers[1::2]
    num_pixels = size[0] * size[1]
    if numbers.min() < 1 or numbers.max() > num_pixels:
        _check_pairs(starts, lengths, size)
    ends = starts + lengths
    counts = np.empty(len(numbers) + 1, dtype=np.int64)  # outside and inside in turn, over the whole image
    counts[0], counts[-1] = starts[0] - 1, num_pixels + 1 - ends[-1]
    counts[1::2] = lengths
    np.subtract(starts[1:], ends[:-1], out=counts[2:-1:2])
    if counts.min() < 0:
        _check_pairs(starts, lengths, size)
    left, right = int(starts[0] - 1) // size[0], int(ends[-1] - 2) // size[0] + 1
    counts[0] -= left * size[0]
    counts[-1] -= (size[1] - right) * size[0]
    return _region(counts, (size[0], right - left)), left


def region_of_counts(counts: Sequence[int] | Counts, size: Size) -> Region:
    """Decodes counts of pixels, outside and inside in turn.

    Raises:
        MaskDecodingError: when a count is negative or not a whole number, or they do not sum to the mask's pixels.
    """
    expected = f"whole numbers from 0 that sum to {size[0] * size[1]}, the pixels of {size}"
    values = np.asarray(counts)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise MaskDecodingError("the counts are not all whole numbers", expected)
    if values.min() < 0:
        raise MaskDecodingError(f"count {int(values.argmin()) + 1} is {values.min()}", expected)
    if (total := sum(values.tolist())) != size[0] * size[1]:
        raise MaskDecodingError(f"the counts sum to {total}", expected)
    return _region(values, size)


def uncompressed(text: str) -> list[int]:
    """The counts in a compressed string.

    Raises:
        MaskDecodingError: when it holds a character that is not a digit, or ends within a number.
    """
    counts: list[int] = []
    value = digits = 0
    for position, character in enumerate(text, start=1):
        code = ord(character)
        if not _FIRST_CODE <= code <= _LAST_CODE:
            raise MaskDecodingError(
                f"character {position} of the counts is {character!r}", "characters from '0' to 'o'"
            )
        code -= _FIRST_CODE
        value |= (code & _DIGIT) << (_BITS * digits)
        digits += 1
        if code & _MORE:
            if digits == _MOST_DIGITS:
                raise MaskDecodingError(f"the number at character {position} does not end", "at most 7 digits a count")
            continue
        if code & _SIGN:
            value -= 1 << (_BITS * digits)
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = digits = 0
    if digits:
        raise MaskDecodingError("the counts end within a number", "a whole string, not one that was cut off")
    return counts


def _whole_numbers(text: str) -> Counts:
    if text.isascii() and text.replace(" ", "").isdigit():
        # This is fast, but numbers that are too large become the highest.
        numbers: Counts = np.fromstring(text, dtype=np.int64, sep=" ")
        if numbers.max() < _HIGHEST:
            return numbers
    tokens = text.split()
    try:
        return np.array(tokens, dtype=np.int64)
    except (ValueError, OverflowError):
        wrong = next(token for token in tokens if not _is_whole(token))
        raise MaskDecodingError(f"'{wrong[:40]}' is no whole number", _PAIRS) from None


def _is_whole(token: str) -> bool:
    try:
        return abs(int(token)) <= _HIGHEST
    except ValueError:
        return False


def _check_pairs(starts: Counts, lengths: Counts, size: Size) -> None:
    """Raises an error for the first invalid pair."""
    num_pixels = size[0] * size[1]
    ends = starts + np.minimum(lengths, _HIGHEST - np.maximum(starts, 0))  # the pixel after each run
    ends_before = np.concatenate([[1], ends])[: len(starts)]
    for wrong, problem, expected in (
        (starts < 1, "begins before the first pixel", "starts from 1"),
        (lengths < 1, "covers no pixel", "lengths from 1"),
        (ends - 1 > num_pixels, "passes the last pixel", f"at most pixel {num_pixels}, the last of {size}"),
        (starts < ends_before, "begins before the run before it ends", "runs in ascending order that do not overlap"),
    ):
        if wrong.any():
            run = int(wrong.argmax())
            raise MaskDecodingError(f"run {run + 1}, '{starts[run]} {lengths[run]}', {problem}", expected)


def _region(counts: Counts, size: Size) -> Region:
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(size[::-1]).T
