import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from seqtrain.reports.regression import RegressionResults


def test_key_figures_are_those_of_scikit_learn_also_far_from_zero():
    generator = np.random.default_rng(0)
    truth = generator.normal(1e6, 3, 500)
    predicted = truth + generator.normal(0.5, 1, 500)
    made = RegressionResults()
    for start in range(0, 500, 64):
        made.add(truth[start : start + 64], predicted[start : start + 64])
    numbers = made.numbers()
    assert numbers["samples"] == 500
    assert numbers["mae"] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert numbers["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert numbers["r2"] == pytest.approx(metrics.r2_score(truth, predicted))
    assert numbers["mean_error"] == pytest.approx((predicted - truth).mean())


def test_what_is_no_number_is_left_out():
    made = RegressionResults()
    made.add(np.array([1.0, np.nan, 2.0]), np.array([1.5, 1.0, np.inf]))
    assert made.numbers() == {"samples": 1, "mae": 0.5, "rmse": 0.5, "mean_error": 0.5}


def test_samples_of_several_values_are_counted_as_such():
    made = RegressionResults()
    truth = np.zeros((4, 3, 2))
    truth[1, 2, 1] = truth[2] = np.nan
    made.add(truth, np.ones((4, 3, 2)))
    made.add(truth[:0], truth[:0])
    assert {name: made.numbers()[name] for name in ("samples", "values", "mae")} == {
        "samples": 3,
        "values": 17,
        "mae": 1,
    }


def test_residuals_beyond_the_axis_are_counted_and_not_in_its_last_bars(tmp_path, monkeypatch):
    texts, bars = [], []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda axes, x, y, text, **how: texts.append(text))
    monkeypatch.setattr("matplotlib.axes.Axes.hist", lambda axes, values, **how: bars.append((values, how["range"])))
    truth = np.random.default_rng(0).normal(size=1000)
    made = RegressionResults()
    made.add(truth, truth + np.where(np.arange(1000) == 7, -50, np.sin(np.arange(1000))))
    made.draw(tmp_path)
    (values, (low, high)), (words,) = bars[0], texts
    assert words == f"{np.count_nonzero(values < low) + np.count_nonzero(values > high)} more beyond, the farthest -50"
    assert values.min() < low and 0.99 < high < 1.01


def test_all_residuals_are_within_the_axis_where_none_is_far(tmp_path, monkeypatch):
    ranges = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda *arguments, **how: pytest.fail("nothing is beyond"))
    monkeypatch.setattr("matplotlib.axes.Axes.hist", lambda axes, values, **how: ranges.append(how["range"]))
    made = RegressionResults()
    made.add(np.zeros(1000), np.sin(np.arange(1000)) * 3)
    made.draw(tmp_path)
    np.testing.assert_allclose(ranges[0], (-3, 3), rtol=1e-4)


@pytest.mark.parametrize("count", [1, 500, 30_000])
def test_points_and_residuals_are_drawn(tmp_path, count):
    truth = np.random.default_rng(0).normal(size=count)
    made = RegressionResults("price")
    made.add(truth, truth * 0.9)
    for path in made.draw(tmp_path):
        with Image.open(path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10
