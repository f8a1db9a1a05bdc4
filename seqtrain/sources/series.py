"""The source `series`: windows of time series, each with the steps that follow it as the target.

The values of all files are one array, four bytes per number; a window is stored as its first row. No window reaches
from one file into the next. Neighbouring windows share most of their rows, so `drop_leaking` leaves out the training
windows that share rows with validation windows.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, ConfigError, DataError, Mistake
from seqtrain.registry import sources
from seqtrain.sources.base import Paths, Source
from seqtrain.sources.table_file import TABLE_EXTENSIONS, ColumnKind, Columns, RowPlaces, read_columns
from seqtrain.types import Positive

_MUCH_LONGER = 1.5  # times the usual step: a longer step is a gap, but a longer month is not
log = logging.getLogger("seqtrain")

Values = npt.NDArray[np.float32]


@sources.register("series")
class Series(Source):
    """Windows of one or many series, each a CSV file with a header or a Parquet file, with one row per time step.

    Windows are ordered by their relative position in their file, so that `split: {by: ordered}` trains on the same
    share of every file and validates on what comes after. `split: {by: group}` splits by file. A training window is
    left out if it, or the steps that it forecasts, has a row in common with a validation window.

    Args:
        path: A file, a folder of CSV and Parquet files, or a list of files.
        target: The column, or the columns, to forecast.
        columns: The input columns. Default: those of `target`.
        time: A column of numbers or ISO 8601 times, which must ascend from row to row. It is only checked, and gaps are
            logged.
        window: The number of input steps.
        horizon: The number of steps to forecast, which follow the window.
        stride: The number of steps from one window to the next.
        missing: What to do about empty cells: "error", or "interpolate" linearly between the values before and after,
            and repeat the nearest value at the ends. Next to the split, this uses a value of the other side.

    Raises:
        ConfigError: when a column is named twice.
        DataError: when a file cannot be read or lacks a column, when no file is long enough for a window, when a value
            is missing or not a number, or when the times do not ascend.

    Example:
        source: {name: series, path: data/power, target: load, columns: [load, temperature], window: 48, horizon: 24}
    """

    targets: tuple[str, ...]
    groups: npt.NDArray[Any] | None

    def __init__(
        self,
        path: Path | list[Path],
        target: str | list[str],
        window: Positive,
        horizon: Positive,
        columns: list[str] | None = None,
        time: str | None = None,
        stride: Positive = 1,
        missing: Literal["error", "interpolate"] = "error",
    ) -> None:
        self.window, self.horizon, self.stride = window, horizon, stride
        self._time, self._missing = time, missing
        self.targets = _distinct("target", [target] if isinstance(target, str) else target)
        self.columns = _distinct("columns", list(self.targets) if columns is None else columns)
        self._names = list(dict.fromkeys((*self.columns, *self.targets)))
        self.features = np.array([self._names.index(name) for name in self.columns])
        self.target_features = np.array([self._names.index(name) for name in self.targets])
        self._list(_files(path), has_future=True)

    @property
    def form(self) -> Mapping[str, Any]:
        """See `Source`."""
        return {"columns": self.columns, "targets": self.targets, "window": self.window, "horizon": self.horizon}

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """All windows of some files and folders, file after file, without the steps that follow, which are zero.

        The last window of a file ends with its last row. Columns that are targets only may be missing.

        Raises:
            DataError: see the class.
        """
        other = copy.copy(self)
        other._list([file for path in inputs for file in _files(path)], has_future=False)
        return other

    def _list(self, files: list[Path], has_future: bool) -> None:
        """Reads the files, and finds the windows; `has_future` says whether the files hold the steps to forecast."""
        self.files: tuple[Paths, ...] = ([str(file) for file in files],)
        self._has_future = has_future
        known, unknown = (self._names, 0) if has_future else (list(self.columns), self.horizon)
        series, self._places = [], []
        for file in files:
            values, places = _read(file, known, self._time, self._missing)
            series.append(np.pad(values, ((0, unknown), (0, len(self._names) - len(known)))))
            self._places.append(places)
        lengths = np.array([len(values) for values in series])
        self.values: Values = np.concatenate(series)
        self._first_rows = np.cumsum(lengths) - lengths
        self.starts, self.groups = self._windows(lengths)
        self._check_lengths(files, lengths - unknown, self.window + self.horizon - unknown)

    def _check_lengths(self, files: list[Path], lengths: npt.NDArray[np.integer], needed: int) -> None:
        short = np.flatnonzero(lengths < needed)
        if len(short) and not self._has_future:
            raise DataError(
                Mistake(
                    f"is too short to be forecast: a window is {needed} rows",
                    where=str(files[at]),
                    received=f"{lengths[at]} rows",
                    fix="leave it out, or name a file with more rows of the past",
                )
                for at in short[:MOST_LISTED].tolist()
            )
        if len(self.starts) == 0:
            raise DataError(
                f"no file is long enough for a window of {self.window} steps and a horizon of {self.horizon}",
                where=files[int(lengths.argmax())],
                expected=f"at least {needed} rows",
                received=f"{lengths.max()} rows in the longest",
                fix="lower window or horizon",
            )
        if len(short):
            log.warning(
                "series: %d of %d files are too short for a window of %d rows and left out, such as %s (%d rows)",
                len(short),
                len(files),
                needed,
                files[short[0]],
                lengths[short[0]],
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        start = int(self.starts[index])
        known, end = start + self.window, start + self.window + self.horizon
        return {
            "x": self.values[start:known][:, self.features],
            "y": self.values[known:end][:, self.target_features],
        }

    def rows_of(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Which rows of `values` are in some windows or in the steps that these forecast; in linear time."""
        changes = np.zeros(len(self.values) + 1, np.int64)
        starts = self.starts[indices]
        np.add.at(changes, starts, 1)
        np.add.at(changes, starts + self.window + self.horizon, -1)
        rows: npt.NDArray[np.bool_] = np.cumsum(changes[:-1]) > 0
        return rows

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The training windows that share no row with a validation window.

        Raises:
            DataError: when none is left, such as after a random split.
        """
        before = np.concatenate([[0], np.cumsum(self.rows_of(val))])  # number of validation rows before each row
        starts = self.starts[train]
        kept: npt.NDArray[np.integer] = train[before[starts + self.window + self.horizon] == before[starts]]
        if len(kept) == 0 and len(train):
            raise DataError(
                "every training window shares rows with a validation window",
                received=f"{len(train)} windows to train and {len(val)} to validate",
                fix="split `by: ordered` (the end of each file validates) or `by: group` (whole files do)",
            )
        if len(kept) < len(train):
            log.info(
                "series: %d of %d training windows are left out, for they share rows with validation",
                len(train) - len(kept),
                len(train),
            )
        return kept

    def describe(self, index: int) -> str:
        """The file and the first line of a window; or its last line, in the files of `predict`."""
        return self._place(int(self.starts[index]) + (0 if self._has_future else self.window - 1))

    def _place(self, row: int) -> str:
        file = int(np.searchsorted(self._first_rows, row, side="right")) - 1
        return self._places[file].of(row - int(self._first_rows[file]))

    def _windows(self, lengths: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """The first row and the file of each window, ordered by the windows' relative positions in their files."""
        starts, files, shares = [], [], []
        for file, (first, length) in enumerate(zip(self._first_rows, lengths, strict=True)):
            last = int(length) - self.window - self.horizon
            begins = np.arange(0 if self._has_future else last % self.stride, last + 1, self.stride)
            starts.append(first + begins)
            files.append(np.full(len(begins), file, np.int32))
            shares.append((np.arange(len(begins)) + 0.5) / max(len(begins), 1))
        if not self._has_future:
            return np.concatenate(starts).astype(np.int64), np.concatenate(files)
        order = np.argsort(np.concatenate(shares), kind="stable")
        return np.concatenate(starts)[order].astype(np.int64), np.concatenate(files)[order]


def _distinct(role: str, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise ConfigError(f"{role}: names no column", fix="name at least one")
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{role}: names '{twice}' twice", fix="name each column once")
    return tuple(names)


def _files(path: Path | list[Path]) -> list[Path]:
    if isinstance(path, list):
        if not path:
            raise ConfigError("path: names no file", fix="name a file, a folder or some files")
        return path
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLE_EXTENSIONS and file.name[0] != ".")
    if not files:
        raise DataError("the folder holds no series", where=path, expected="files that end in .csv or .parquet")
    return files


def _read(path: Path, names: list[str], time: str | None, missing: str) -> tuple[Values, RowPlaces]:
    """The values of a file, (rows, columns), and the places of its rows."""
    kinds: dict[str, ColumnKind] = dict.fromkeys(names, "number")
    if time is not None:
        if time in kinds:
            raise ConfigError(f"time: '{time}' is among the columns to learn from", fix="leave it out of one of them")
        kinds[time] = "time"
    columns = read_columns(path, kinds)
    if time is not None:
        _check_ascends(columns, time)
    for name in names:
        _fill(columns, name, path, missing)
    return np.stack([columns.numbers[name] for name in names], axis=1), columns.places


def _check_ascends(columns: Columns, time: str) -> None:
    ascends = np.diff(columns.numbers[time]) > 0  # False for NaN
    if not ascends.all():
        row = int(ascends.argmin()) + 1
        equal = columns.numbers[time][row] == columns.numbers[time][row - 1]
        raise DataError(
            f"the series is out of order: its '{time}' {'is that of' if equal else 'comes before'} the row before",
            where=columns.places.of(row),
            expected="times that ascend from row to row",
            received=f"{np.count_nonzero(~ascends)} such rows",
            fix="sort the rows by time, and keep one row for each time; one file for each series",
        )
    steps = np.diff(columns.numbers[time])
    long = steps > _MUCH_LONGER * np.median(steps) if len(steps) else steps
    if long.any():
        place = columns.places.of(int(long.argmax()) + 1)
        log.info(
            "series: gaps in time, across which windows reach as if nothing were missing: %d, the first before %s; "
            "what follows a gap in a file of its own is a series of its own",
            np.count_nonzero(long),
            place,
        )


def _fill(columns: Columns, name: str, path: Path, missing: str) -> None:
    """Interpolates missing values in place, or raises an error for them."""
    values = columns.numbers[name]
    empty = np.isnan(values)
    if not empty.any():
        return
    if missing == "error" or empty.all():
        raise DataError(
            f"a value of column '{name}' is missing",
            where=path if empty.all() else columns.places.of(int(empty.argmax())),
            expected="a number in every row",
            received=f"{np.count_nonzero(empty)} rows of {len(empty)} without",
            fix="leave the column out" if empty.all() else "fill the gaps, or set `missing: interpolate`",
        )
    rows = np.arange(len(values))
    values[empty] = np.interp(rows[empty], rows[~empty], values[~empty])
