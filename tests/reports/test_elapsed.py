import pytest

from seqtrain.reports.elapsed import ago, elapsed


@pytest.mark.parametrize(
    ("seconds", "words"),
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
def test_a_span_has_its_two_largest_units_at_most(seconds, words):
    assert elapsed(seconds) == words


def test_what_is_over_is_told_by_its_largest_unit():
    assert ago(754) == "12m ago"
