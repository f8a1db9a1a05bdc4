from __future__ import annotations

import numpy as np
import pytest

from seqtrain.errors import Mistake
from seqtrain.sources.digits_text import parse_plain, parse_slowly


def test_every_number_from_0_to_255_is_read_in_every_place() -> None:
    numbers = [*range(256), *reversed(range(256)), 0, 255, 7, 100, 10, 1]
    parsed = parse_plain("".join(f"{number}," for number in numbers).encode())
    assert parsed is not None
    assert parsed.dtype == np.uint8
    assert parsed.tolist() == numbers


def test_leading_zeros_count_nothing() -> None:
    parsed = parse_plain(b"007,01,000,")
    assert parsed is not None
    assert parsed.tolist() == [7, 1, 0]


@pytest.mark.parametrize(
    "text", [b"256,", b"1,,2,", b",", b"1000,", b"-1,", b"1.0,", b" 1,", b"1a,", b"1,\n2,", b"12", b""]
)
def test_whatever_is_not_plain_is_left_to_the_slow_way(text: bytes) -> None:
    assert parse_plain(text) is None


def test_the_slow_way_reads_blanks_and_floats_that_are_whole() -> None:
    parsed = parse_slowly([b" 7", b"12.0", b"2.55e2", b"0 "])
    assert isinstance(parsed, np.ndarray)
    assert parsed.tolist() == [7, 12, 255, 0]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (b"256", "pixel 1 is 256"),
        (b"-1", "pixel 1 is -1"),
        (b"0.5", "pixel 1 is 0.5"),
        (b"nan", "pixel 1 is nan"),
        (b"inf", "pixel 1 is inf"),
        (b"", "pixel 1 is no number"),
        (b"black", "pixel 1 is no number"),
    ],
)
def test_the_slow_way_tells_which_pixel_is_wrong(token: bytes, message: str) -> None:
    mistake = parse_slowly([b"1", token, b"3"])
    assert isinstance(mistake, Mistake)
    assert mistake.message == message
    assert mistake.expected == "whole numbers from 0 to 255"
