from __future__ import annotations

import itertools
import logging
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.series import Series
from seqtrain.splits import split_source


def series_file(folder: Path, name: str, values: list[object], times: list[object] | None = None) -> Path:
    rows = zip(times or range(len(values)), values, (f"{10 * row}" for row in range(len(values))), strict=True)
    path = folder / name
    path.write_text("t,load,warmth\n" + "".join(f"{time},{value},{warmth}\n" for time, value, warmth in rows))
    return path


def rows_of(source: Series, index: int) -> set[int]:
    start = int(source.starts[index])
    return set(range(start, start + source.window + source.horizon))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    series_file(tmp_path, "a.csv", list(range(20)))
    series_file(tmp_path, "b.csv", list(range(100, 140)))
    return tmp_path


def test_a_window_is_what_is_known_and_what_follows(folder: Path) -> None:
    source = Series(folder / "a.csv", target="load", columns=["warmth", "load"], window=3, horizon=2, stride=4)
    assert len(source) == 4  # 20 rows hold windows of 5 rows from 0, 4, 8 and 12
    assert source[1]["x"].tolist() == [[40, 4], [50, 5], [60, 6]]
    assert source[1]["y"].tolist() == [[7], [8]]
    assert source[3]["y"].tolist() == [[15], [16]]
    assert source.describe(1) == f"{folder / 'a.csv'}:6"


def test_the_last_window_ends_with_the_last_row(folder: Path) -> None:
    source = Series(folder / "a.csv", target="load", window=3, horizon=2)
    assert len(source) == 16
    assert source[15]["y"].tolist() == [[18], [19]]


def test_no_window_crosses_from_one_file_into_the_next(folder: Path) -> None:
    source = Series(folder, target=["load", "warmth"], columns=["load"], window=6, horizon=3)
    assert len(source) == 12 + 32
    for index in range(len(source)):
        window = source[index]
        steps = np.concatenate([window["x"][:, 0], window["y"][:, 0]])
        assert np.diff(steps).tolist() == [1] * 8
        assert (steps[0] >= 100) == bool(source.groups[index])
    assert np.bincount(source.groups).tolist() == [12, 32]


def test_an_ordered_split_cuts_every_file_at_the_same_share_of_its_time(folder: Path) -> None:
    source = Series(folder, target="load", window=3, horizon=1)  # 17 and 37 windows
    split = split_source(source, SplitConfig(train=0.75, by="ordered"), seed=1)
    for file, num_windows in ((0, 17), (1, 37)):
        val = split.val[source.groups[split.val] == file]
        train = split.train[source.groups[split.train] == file]
        assert abs(len(val) - num_windows / 4) <= 1
        assert source.starts[train].max() < source.starts[val].min()


@pytest.mark.parametrize(("window", "horizon", "stride"), [(3, 1, 1), (4, 3, 2), (2, 2, 5)])
def test_training_shares_no_row_with_validation_and_loses_only_windows_that_would(
    folder: Path, caplog: pytest.LogCaptureFixture, window: int, horizon: int, stride: int
) -> None:
    source = Series(folder, target="load", window=window, horizon=horizon, stride=stride)
    cut = round(0.75 * len(source))
    train, val = np.arange(cut), np.arange(cut, len(source))
    with caplog.at_level(logging.INFO, "seqtrain"):
        kept = source.drop_leaking(train, val)
    val_rows = set().union(*(rows_of(source, int(index)) for index in val))
    assert kept.tolist() == [index for index in train.tolist() if not rows_of(source, index) & val_rows]
    assert (f"{cut - len(kept)} of {cut} training windows are left out" in caplog.text) == (len(kept) < cut)
    assert np.flatnonzero(source.rows_of(val)).tolist() == sorted(val_rows)


def test_a_split_by_group_keeps_every_window_of_a_file(folder: Path) -> None:
    source = Series(folder, target="load", window=3, horizon=1)
    split = split_source(source, SplitConfig(train=0.6, by="group"), seed=1)
    assert len(split.train) + len(split.val) == len(source)
    assert {*source.groups[split.train]}.isdisjoint(source.groups[split.val])


def test_a_random_split_that_leaves_nothing_to_train_on_is_answered_with_others(folder: Path) -> None:
    source = Series(folder / "a.csv", target="load", window=6, horizon=2)
    with pytest.raises(DataError, match=r"every training window shares rows(.|\n)*by: ordered"):
        split_source(source, SplitConfig(train=0.5, by="random"), seed=1)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, 2, 4, 3, 5], r"s\.csv:5  the series is out of order: its 't' comes before the row before"),
        ([1, 2, 2, 3, 4], r"s\.csv:4  the series is out of order: its 't' is that of the row before"),
        ([f"2024-03-0{day}" for day in (1, 2, 5, 4, 6)], r"s\.csv:5  the series is out of order"),
        ([1, 2, "nan", 3, 4], r"s\.csv:4  the series is out of order"),
    ],
)
def test_times_that_do_not_ascend_are_named_by_file_and_row(tmp_path: Path, times: list[object], message: str) -> None:
    path = series_file(tmp_path, "s.csv", [1, 2, 3, 4, 5], times)
    assert len(Series(path, target="load", window=2, horizon=1)) == 3  # the order is checked only where it is known
    with pytest.raises(DataError, match=message):
        Series(path, target="load", time="t", window=2, horizon=1)


def test_gaps_in_time_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    months = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]
    Series(series_file(tmp_path, "months.csv", [1, 2, 3, 4], list(months)), "load", 2, 1, time="t")
    assert "gaps" not in caplog.text
    Series(series_file(tmp_path, "hours.csv", [1, 2, 3, 4, 5], [1, 2, 3, 6, 7]), "load", 2, 1, time="t")
    assert f"missing: 1, the first before {tmp_path}/hours.csv:5" in caplog.text


def test_a_missing_value_is_named_or_interpolated(tmp_path: Path) -> None:
    path = series_file(tmp_path, "s.csv", ["", 2, "", "nan", 8, ""])
    with pytest.raises(DataError, match=r"s\.csv:2  a value of column 'load' is missing(.|\n)*4 rows of 6") as refused:
        Series(path, target="load", window=2, horizon=1)
    assert "missing: interpolate" in str(refused.value)
    source = Series(path, target="load", window=2, horizon=1, missing="interpolate")
    assert source.values[:, 0].tolist() == [2, 2, 4, 6, 8, 8]
    empty = series_file(tmp_path, "empty.csv", [""] * 4)
    with pytest.raises(DataError, match=r"empty\.csv  a value of column 'load' is missing"):
        Series(empty, target="load", window=2, horizon=1, missing="interpolate")


def test_files_that_are_too_short_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    Series(folder, target="load", window=18, horizon=2)
    assert caplog.text == ""
    Series(folder, target="load", window=18, horizon=3)
    assert "1 of 2 files are too short for a window of 21 rows and left out" in caplog.text
    assert f"{folder / 'a.csv'} (20 rows)" in caplog.text


def test_files_that_are_too_short_give_no_windows_and_all_such_are_refused(folder: Path) -> None:
    series_file(folder, "c.csv", [1, 2])
    assert set(Series(folder, target="load", window=3, horizon=1).groups) == {0, 1}
    with pytest.raises(DataError, match=r"b\.csv  no file is long enough(.|\n)*at least 46 rows(.|\n)*40 rows"):
        Series(folder, target="load", window=40, horizon=6)


def test_csv_and_parquet_may_be_listed_together(folder: Path) -> None:
    table = pyarrow.table({"load": [1.5, 2.5, 3.5, 4.5], "t": [1, 2, 3, 4]})
    pyarrow.parquet.write_table(table, folder / "z.parquet")
    source = Series([folder / "z.parquet", folder / "a.csv"], target="load", time="t", window=3, horizon=1)
    first = next(index for index in itertools.count() if source.groups[index] == 0)
    assert source[first]["x"].tolist() == [[1.5], [2.5], [3.5]]
    assert source.describe(first) == f"{folder / 'z.parquet'}:1"


def test_what_names_no_series_is_refused(folder: Path) -> None:
    (folder / "none").mkdir()
    with pytest.raises(DataError, match="the folder holds no series"):
        Series(folder / "none", target="load", window=2, horizon=1)
    with pytest.raises(DataError, match="no such file"):
        Series([folder / "x.csv"], target="load", window=2, horizon=1)
    with pytest.raises(ConfigError, match="path: names no file"):
        Series([], target="load", window=2, horizon=1)
    with pytest.raises(DataError, match="there is no column 'loud'"):
        Series(folder, target="loud", window=2, horizon=1)
    with pytest.raises(ConfigError, match="columns: names 'load' twice"):
        Series(folder, target="load", columns=["load", "load"], window=2, horizon=1)
    with pytest.raises(ConfigError, match="target: names no column"):
        Series(folder, target=[], window=2, horizon=1)
    with pytest.raises(ConfigError, match="'t' is among the columns to learn from"):
        Series(folder, target="load", columns=["t"], time="t", window=2, horizon=1)
