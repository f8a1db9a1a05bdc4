from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sequences.windows import WindowSequence
from seqtrain.sources.series import Series
from seqtrain.sources.synthetic_sum import SyntheticSum
from tests.sequences.building import build


def series(folder: Path, values: list[float]) -> Series:
    path = folder / "s.csv"
    path.write_text("load,warmth\n" + "".join(f"{value},{row}\n" for row, value in enumerate(values)))
    return Series(path, target="load", columns=["warmth", "load"], window=2, horizon=1)


def sequence(source: Series, train: list[int], **arguments: object) -> WindowSequence:
    val = np.arange(len(source))
    return build(WindowSequence, source, val, len(val), 1, False, training_indices=np.array(train), **arguments)


def test_windows_are_scaled_by_the_rows_of_training_windows_each_counted_once(tmp_path: Path) -> None:
    # The windows 0 and 1 hold the rows 0 to 3: loads 1, 3, 5, 7 (mean 4, deviation sqrt(5)), warmth 0 to 3.
    x, y = sequence(series(tmp_path, [1, 3, 5, 7, 40, 50]), [0, 1])[0]
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((4, 2, 2), (4, 1, 1), np.float32, np.float32)
    np.testing.assert_allclose(x[1, :, 1], np.array([-1, 1]) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(x[1, :, 0], np.array([-0.5, 0.5]) / np.sqrt(1.25), rtol=1e-6)
    np.testing.assert_allclose(y[:, 0, 0], np.array([1, 3, 36, 46]) / np.sqrt(5), rtol=1e-6)


def test_changing_rows_outside_training_windows_changes_nothing_that_was_fitted(tmp_path: Path) -> None:
    one = sequence(series(tmp_path, [1, 3, 5, 7, 40, 50]), [0, 1]).scaling
    other = sequence(series(tmp_path, [1, 3, 5, 7, -9e6, 0]), [0, 1]).scaling
    moved = sequence(series(tmp_path, [1, 3, 5, 8, 40, 50]), [0, 1]).scaling
    assert one is not None
    assert other is not None
    assert moved is not None
    assert (one.mean.tolist(), one.std.tolist()) == (other.mean.tolist(), other.std.tolist())
    assert one.mean.tolist() != moved.mean.tolist()


def test_what_was_fitted_is_told_by_the_names_of_columns(tmp_path: Path) -> None:
    source = series(tmp_path, [1, 3, 5, 7, 40, 50])
    load = {"mean": 4.0, "deviation": pytest.approx(5**0.5), "has_missing": False}
    warmth = {"mean": 1.5, "deviation": pytest.approx(1.25**0.5), "has_missing": False}
    assert sequence(source, [0, 1]).fitted() == {"columns": {"warmth": warmth, "load": load}}
    assert sequence(source, [0, 1], scale=False).fitted() == {}


def test_both_sides_are_scaled_alike(tmp_path: Path) -> None:
    source = series(tmp_path, [1, 3, 5, 7, 40, 50])
    train = np.array([0, 1])
    training = build(WindowSequence, source, train, 2, 1, True, training_indices=train)
    order = training.sample_indices(0, 0)
    np.testing.assert_array_equal(training.batch(0, 0)[0], sequence(source, [0, 1])[0][0][order])


def test_values_stay_as_they_are_on_request(tmp_path: Path) -> None:
    x, y = sequence(series(tmp_path, [1, 3, 5, 7, 40, 50]), [0], scale=False)[0]
    assert x[3].tolist() == [[3, 7], [4, 40]]
    assert y[3].tolist() == [[50]]


def test_the_spec_says_that_both_are_series(tmp_path: Path) -> None:
    x, y = sequence(series(tmp_path, [1, 3, 5, 7]), [0]).spec
    assert (x.shape, x.kind, y.shape, y.kind) == ((2, 2), "series", (1, 1), "series")


def test_it_pickles_and_makes_the_same_batches(tmp_path: Path) -> None:
    made = sequence(series(tmp_path, [1, 3, 5, 7, 40, 50]), [0, 1])
    again = pickle.loads(pickle.dumps(made))
    assert all(np.array_equal(one, other) for one, other in zip(made[0], again[0], strict=True))


def test_another_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="the sequence 'windows' cannot read from a SyntheticSum"):
        build(WindowSequence, SyntheticSum(4, seed=1), np.arange(4), 2, 1, True, training_indices=np.arange(4))
