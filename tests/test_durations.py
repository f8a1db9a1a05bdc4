import pytest

from seqtrain.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("10m", 600), ("3h50m", 13_800), ("2d", 172_800), ("1d2h3m4s", 93_784)]
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "10", "m", "0s", "5m3h", "1.5h", "-3m", "ten minutes"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="such as 90s"):
        seconds(text)
