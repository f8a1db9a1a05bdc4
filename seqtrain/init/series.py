"""Detects time series: tables with a column of ascending times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from seqtrain.errors import DataError
from seqtrain.init.columns import DAY_OR_MONTH_FIRST, column_roles
from seqtrain.init.csv_sample import CsvSample, csv_samples
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import fitting_batch_size
from seqtrain.init.listing import Listing
from seqtrain.init.recipe import Recipe
from seqtrain.sources.number_text import is_number
from seqtrain.text import number_range

_TIMES = ("time", "datetime", "timestamp", "date", "ds", "utc", "datehour", "localtime")
_TARGETS = ("target", "y", "value", "load", "demand", "close", "sales", "consumption", "price", "ot")
_HOUR, _DAY, _WEEK = 3600.0, 86400.0, 604800.0
_SHARE = 5  # the window is at most a fifth of the shortest file


def series(listing: Listing) -> Iterator[Detection]:
    """Finds tables with ascending times; tables of one folder with the same columns are detected together."""
    samples = [sample for sample in csv_samples(listing) if sample.header]
    by_form: dict[tuple[str, tuple[str, ...]], list[CsvSample]] = {}
    for sample in samples:
        by_form.setdefault((os.path.dirname(sample.file), sample.header), []).append(sample)  # noqa: PTH120 - many files
    for (folder, _), group in by_form.items():
        _check_times(group[0])
        time = sample_time(group[0])
        numbers = _numbers(group[0], time)
        if time is None or not numbers or any(_seconds(sample, time) is None for sample in group):
            continue
        in_folder = [file for file in listing.with_extension(".csv", ".parquet") if os.path.dirname(file) == folder]  # noqa: PTH120 - many files
        path: Any = listing.path(folder or ".") if len(in_folder) == len(group) > 1 else None
        path = path or [listing.path(sample.file) for sample in group]
        source = {
            "name": "series",
            "path": path[0] if isinstance(path, list) and len(path) == 1 else path,
            "time": time,
        }
        yield _detection(group, source, numbers, time)


def sample_time(sample: CsvSample) -> str | None:
    """The column of times: one with a typical name or the first column, if its times ascend."""
    named = sample.named(*_TIMES)
    names = [named] if named is not None else []
    names += [name for name in sample.header[:1] if sample.rows and not is_number(sample.rows[0][0])]
    return next((name for name in names if _seconds(sample, name) is not None), None)


def _detection(group: list[CsvSample], source: dict[str, Any], numbers: list[str], time: str) -> Detection:
    rows = [sample.num_rows for sample in group]
    step = median(later - earlier for earlier, later in pairwise(_seconds(group[0], time) or [0.0, 1.0]))
    of_rows = number_range(min(rows), max(rows))
    window, horizon = _windows(step, min(rows))
    has_empty = any(len(sample.column(name)) < len(sample.rows) for sample in group for name in numbers)

    def recipe(answers: Answers) -> Recipe:
        about = f"{len(group)} series of {min(rows):,} rows and more: the next {horizon} steps of {answers.target}."
        full = {**source, "columns": numbers, "target": answers.target, "window": window, "horizon": horizon}
        if has_empty:
            full["missing"] = "interpolate"
        return Recipe("forecast", about, full, fitting_batch_size(sum(rows), 128))

    named = group[0].named(*_TARGETS)
    first = group[0].column(time)[0]
    seen = (
        ("series", f"{len(group)} of {of_rows} rows, from {first}, a row {_step_text(step)}"),
        ("columns", ", ".join(numbers)),
        ("window", f"{window} steps known, {horizon} to forecast"),
    )
    notes = ("empty cells are drawn from their neighbours (`missing: interpolate`)",) if has_empty else ()
    target = named if named in numbers else numbers[0]
    return Detection("series", seen, recipe, Answers(target=target), tuple(numbers), notes)


def _numbers(sample: CsvSample, time: str | None) -> list[str]:
    roles = column_roles(sample).roles
    return [name for name, role in roles.items() if role == "number" and name != time]


def _check_times(sample: CsvSample) -> None:
    """Raises an error for dates such as 03/04/2024, whose day and month cannot be told apart."""
    name = sample.named(*_TIMES)
    cells = sample.column(name) if name is not None else []
    if cells and all(map(DAY_OR_MONTH_FIRST.match, cells)):
        raise DataError(
            f"the times in '{name}' may start with the day or the month",
            where=sample.path,
            expected="ISO 8601, such as 2024-03-31 18:00",
            received=repr(cells[0]),
            fix="write the year first, where these are times of a series",
        )


def _seconds(sample: CsvSample, name: str) -> list[float] | None:
    """The times of a column in seconds; None if the cells are not times or do not ascend."""
    if name not in sample.header:
        return None
    cells = sample.column(name)
    try:
        times = [float(c) if is_number(c) else datetime.fromisoformat(c).timestamp() for c in cells]
    except ValueError:
        return None
    ascends = all(earlier < later for earlier, later in pairwise(times))
    return times if ascends and len(times) == len(sample.rows) > 2 else None


def _windows(step: float, rows: int) -> tuple[int, int]:
    """The arguments `window` and `horizon`: about a week and a day, a month and a week, or a year and a month."""
    if step <= _HOUR:
        window, horizon = min(336, round(_WEEK / step)), min(48, round(_DAY / step))
    elif step <= _DAY:
        window, horizon = round(4 * _WEEK / step), round(_WEEK / step)
    else:
        window, horizon = (52, 4) if step <= _WEEK else (24, 6)
    window = min(window, max(2, rows // _SHARE))
    return window, max(1, min(horizon, window // 4))


def _step_text(step: float) -> str:
    usual = {60.0: "a minute", _HOUR: "an hour", _DAY: "a day", _WEEK: "a week"}
    return usual.get(step, f"each {step:g} s")
