"""Ranges put together from parts, against NumPy over all values at once."""

import numpy as np
import pytest

from seqtrain.reports.fields import Field
from seqtrain.reports.value_ranges import Ranges, are_constant, channels, measure


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float16", "float32", "int64", "float64"])
@pytest.mark.parametrize(("count", "num_channels"), [(1, 1), (1, 90), (40, 1), (40, 6), (400, 1), (400, 3), (400, 6)])
def test_parts_add_up_to_the_whole(dtype, count, num_channels):
    generator = np.random.default_rng(1)
    values = (generator.random((23, count, num_channels)) * 50 + np.arange(num_channels) * 2).astype(dtype)
    ranges = Ranges()
    for start in range(0, 23, 7):
        ranges.add(measure(values[start : start + 7]))
    flat = values.reshape(-1, num_channels).astype(np.float64)
    np.testing.assert_allclose(ranges.mean, flat.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(ranges.std, flat.std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(ranges.low, flat.min(axis=0))
    np.testing.assert_array_equal(ranges.high, flat.max(axis=0))


def test_a_small_deviation_on_a_large_mean_keeps_its_digits():
    values = 1e9 + np.random.default_rng(2).random((50, 10, 1))
    ranges = Ranges()
    for row in values:
        ranges.add(measure(row[None]))
    np.testing.assert_allclose(ranges.std, values.std(), rtol=1e-5)


def test_what_is_not_finite_is_counted_and_left_out():
    values = np.array([[[1.0], [np.nan], [3.0]], [[np.inf], [-np.inf], [np.nan]]])
    measured = measure(values)
    assert measured["nan"].tolist() == [1, 1]
    assert measured["infinite"].tolist() == [0, 2]
    ranges = Ranges()
    ranges.add(measured)
    assert ranges.to_json() == {"min": [1], "max": [3], "mean": [2], "std": [1]}


@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 0, 3)])
def test_no_values_have_no_range(shape):
    ranges = Ranges()
    ranges.add(measure(np.ones((2, 5, 3), np.float32)))
    ranges.add(measure(np.zeros(shape, np.float32)))
    assert ranges.to_json() == {"min": [1, 1, 1], "max": [1, 1, 1], "mean": [1, 1, 1], "std": [0, 0, 0]}


def test_a_sample_is_constant_where_no_value_of_a_channel_differs():
    values = np.zeros((5, 300, 3), np.uint8)
    values[1] = 7, 8, 9
    values[2, 299, 1] = 1
    values[3, 5, 0] = 1
    assert are_constant(values).tolist() == [True, True, False, False, True]
    assert are_constant(np.full((2, 9, 1), np.nan)).tolist() == [False, False]
    assert are_constant(np.zeros((2, 0, 3))).tolist() == [False, False]


def test_channels_are_found_where_they_are():
    picture = Field("x", np.zeros((2, 10, 12, 3)), "pixels", True)
    assert channels(picture).shape == (2, 120, 3)
    first = Field("x", np.zeros((2, 3, 10, 12)), "pixels", True)
    assert channels(first, "channels_first").shape == (2, 120, 3)
    assert channels(Field("x", np.zeros((2, 7)))).shape == (2, 1, 7)
    assert channels(Field("y", np.zeros(2))).shape == (2, 1, 1)
