"""The table tells what was measured: medians, extremes, targets, and why something is missing."""

import pytest

from tests.benchmarks.contest import Row
from tests.benchmarks.report import as_json, table


def test_a_ratio_is_the_median_and_stands_with_its_extremes_and_the_ratio_of_the_best_rounds():
    row = Row("jpeg", "tf.data", ratios=[1.5, 0.5, 1.25], speeds=[10.0, 30.0, 20.0], at_least=1.25)
    assert table([row]).splitlines()[1].split() == [
        "jpeg",
        "tf.data",
        "20",
        "1.25",
        "0.50",
        "1.50",
        "0.83",
        "1.25",
        "reached",
    ]


@pytest.mark.parametrize(("at_least", "is_reached"), [(1.2, True), (1.3, False), (None, None)])
def test_a_target_is_held_against_the_median(at_least, is_reached):
    assert Row("jpeg", "limit", ratios=[9.0, 1.2, 0.1], at_least=at_least).is_reached is is_reached


def test_who_took_no_part_is_told_with_the_reason_and_reaches_nothing():
    row = Row("jpeg", "Grain", at_least=1.0, note="not installed: grain")
    assert table([row]).splitlines()[1].endswith("1.00  not installed: grain")
    (told,) = as_json([row])
    assert (told["ratio"], told["is_reached"], told["note"]) == (None, None, "not installed: grain")
