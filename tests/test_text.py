import pytest

from seqtrain.text import (
    ago,
    aligned,
    counted,
    duration,
    file_size,
    listed,
    memory_size,
    number,
    number_range,
    parse_duration,
    short_count,
    short_duration,
    shortened,
    shortened_middle,
)


def test_a_list_names_the_first_items_and_counts_the_others():
    assert listed(["a", "b"], 2) == "a, b"
    assert listed([1, 2, 3, 4, 5], 2) == "1, 2 and 3 more"
    assert listed(["a", "b", "c"], 1, rest=" ... ({total} in all)") == "a ... (3 in all)"
    assert listed(["a", "b", "c"], 2, rest="; and {more} more", separator="; ") == "a; b; and 1 more"
    assert listed([], 2) == ""


def test_a_count_of_one_is_singular():
    assert [counted(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert counted(2, "process", "processes") == "2 processes"
    assert counted(0, "warning", none="no") == "no warnings"


def test_floats_have_four_significant_digits_and_other_values_are_left_as_they_are():
    assert [number(value) for value in (0.123456, 12345.6, 12345, "x")] == ["0.1235", "1.235e+04", "12345", "x"]
    assert number(None) == "-"
    assert number(None, none="none") == "none"


def test_a_range_of_equal_ends_is_one_number():
    assert number_range(12, 12) == "12"
    assert number_range(12, 3400) == "12 to 3,400"


def test_large_counts_have_at_most_five_characters():
    counts = (0, 9999, 10_000, 152_473, 999_499, 999_500, 3_140_000, 250_000_000)
    assert [short_count(count) for count in counts] == ["0", "9999", "10k", "152k", "999k", "1.0M", "3.1M", "250M"]


def test_files_are_counted_in_powers_of_ten_and_memory_in_powers_of_two():
    assert [file_size(size) for size in (1_234_567, 1_250_000_000)] == ["1.2 MB", "1.25 GB"]
    assert [memory_size(size) for size in (3 * 2**20, 3 * 2**29)] == ["3 MiB", "1.5 GiB"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.14, "3.1 s"), (99.9, "99.9 s"), (754, "12 min 34 s"), (7500, "2 h 05 min")]
)
def test_durations_in_a_sentence_have_two_units_at_most(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (754, "12m 34s"),
        (7500, "2h 05m"),
        (86400 * 3 + 4 * 3600 + 59, "3d 4h"),
        (86400 * 40, "40d"),
    ],
)
def test_durations_in_a_table_have_their_two_largest_units(seconds, text):
    assert short_duration(seconds) == text


def test_what_is_past_is_told_by_its_largest_unit():
    assert ago(754) == "12m ago"


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("10m", 600), ("3h50m", 13_800), ("2d", 172_800), ("1d2h3m4s", 93_784)]
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "10", "m", "0s", "5m3h", "1.5h", "-3m", "ten minutes"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="such as 90s"):
        parse_duration(text)


def test_long_texts_lose_their_end_or_their_middle():
    assert shortened("golden_retriever", 8) == "golden_…"
    assert shortened_middle("digits/2026-01-02T03-04-05Z", 13) == "digi…3-04-05Z"
    assert shortened("cat", 3) == shortened_middle("cat", 3) == "cat"


def test_columns_of_a_table_stand_under_each_other():
    rows = [("", "min", "max"), ("age", "1", "100"), ("x", "-0.5", "2")]
    assert aligned(rows, right=(1, 2)) == ["      min  max", "age     1  100", "x    -0.5    2"]
    assert aligned([("a", "b"), ("long", "")]) == ["a     b", "long"]
