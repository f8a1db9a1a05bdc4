"""How long sources take to read a table, as a share of the time that the shortest code by hand takes for the same.

    python -m tests.benchmarks.tables
    python -m tests.benchmarks.tables --rows 100000 --only ratings --json
    python -m tests.benchmarks.tables --against ../other-checkout

By hand, a table is split by Python's `csv` and made arrays, without a check of anything; ratings and pixels are read by
`np.loadtxt`. Both read by turns in one process, round after round; ratios are taken within a round. With `--against`,
the sources of another checkout are the peer, each reading in a new process.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_PIXELS = 784


class Kind(NamedTuple):
    """A kind of table.

    Args:
        rows: For each row of the whole benchmark, so many of this table.
        write: Writes a table of so many rows.
        arguments: Of the source of the kind's name, besides the path.
        by_hand: Reads the same.
    """

    rows: float
    write: Callable[[Path, int], None]
    arguments: dict[str, Any]
    by_hand: Callable[[Path], Any]


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="of ratings, a table and a series; others have less"
    )
    parser.add_argument("--only", action="append", choices=KINDS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="by turns")
    parser.add_argument("--against", type=Path, help="the folder of another checkout")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.once:
        print(_seconds(lambda: read(asked.only[0], asked.once)))
        return
    with tempfile.TemporaryDirectory(prefix="seqtrain-tables-") as folder:
        measured = [
            measure(name, asked.rows, asked.rounds, Path(folder), asked.against) for name in asked.only or KINDS
        ]
    if asked.json:
        print(json.dumps(measured, indent=2))
    else:
        for each in measured:
            speed = f"{each['rows'] / each['seconds']:12,.0f} rows/s  {each['seconds']:7.3f} s"
            print(f"{each['kind']:15} {each['rows']:9,} rows {speed}  {each['ratio']:6.2f} x the peer's time")


def measure(name: str, rows: int, rounds: int, folder: Path, against: Path | None) -> dict[str, Any]:
    """The median seconds of a source, and the median ratio to its peer."""
    kind = KINDS[name]
    count = max(round(rows * kind.rows), 1)
    path = folder / f"{name}.csv"
    kind.write(path, count)
    ways: tuple[Callable[[], float], Callable[[], float]] = (
        (lambda: _seconds(lambda: read(name, path)), lambda: _seconds(lambda: kind.by_hand(path)))
        if against is None
        else (lambda: _in_a_process(name, path, Path.cwd()), lambda: _in_a_process(name, path, against))
    )
    for way in ways:
        way()  # imports, and the disk's cache
    seconds = [[ways[which]() for which in ((0, 1) if number % 2 else (1, 0))] for number in range(rounds)]
    ours, theirs = zip(*(each if number % 2 else each[::-1] for number, each in enumerate(seconds)), strict=True)
    ratio = statistics.median(own / other for own, other in zip(ours, theirs, strict=True))
    return {"kind": name, "rows": count, "seconds": round(statistics.median(ours), 4), "ratio": round(ratio, 3)}


def read(name: str, path: Path) -> Any:
    """Reads a table by its source."""
    from seqtrain.registry import sources

    return sources.get(name).load()(path, **KINDS[name].arguments)


def _in_a_process(name: str, path: Path, checkout: Path) -> float:
    command = [sys.executable, "-P", __file__, "--only", name, "--once", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def _seconds(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _write_ratings(path: Path, count: int) -> None:
    generator = np.random.default_rng(count)
    users, items = generator.integers(1, count // 5 + 2, count), generator.integers(1, 50_000, count)
    ratings = generator.integers(1, 11, count) / 2
    rows = zip(
        users.tolist(), items.tolist(), ratings.tolist(), range(1_000_000_000, 1_000_000_000 + count), strict=True
    )
    _write(path, "userId,movieId,rating,timestamp", (f"{user},{item},{rating},{at}" for user, item, rating, at in rows))


def _ratings_by_hand(path: Path) -> Any:
    row = [("user", np.int64), ("item", np.int64), ("rating", np.float32)]
    table = np.loadtxt(path, row, delimiter=",", skiprows=1, usecols=(0, 1, 2))
    return [np.unique(table[name], return_inverse=True) for name in ("user", "item")]


def _write_table(path: Path, count: int) -> None:
    generator = np.random.default_rng(count)
    numbers = generator.normal(100, 30, (count, 3)).tolist()
    towns, codes = generator.integers(0, 50, count).tolist(), generator.integers(1000, 9999, count).tolist()
    rows = (
        f"{area:.2f},{rooms:.3f},{'' if row % 20 == 0 else f'{age:.1f}'},town {town},{code},{3 * area + rooms:.2f}"
        for row, ((area, rooms, age), town, code) in enumerate(zip(numbers, towns, codes, strict=True))
    )
    _write(path, "area,rooms,age,town,code,price", rows)


def _table_by_hand(path: Path) -> Any:
    columns = _columns_by_hand(path)
    numbers = [[float(cell) if cell else np.nan for cell in columns[place]] for place in (0, 1, 2, 5)]
    categories = [np.unique(columns[place], return_inverse=True) for place in (3, 4)]
    return np.array(numbers, np.float32).T, categories


def _write_series(path: Path, count: int) -> None:
    values = np.random.default_rng(count).normal(100, 30, (count, 3)).tolist()
    start = datetime(2000, 1, 1)
    rows = (
        f"{start + timedelta(minutes=row)},{load:.3f},{warmth:.2f},{wind:.4f}"
        for row, (load, warmth, wind) in enumerate(values)
    )
    _write(path, "time,load,warmth,wind", rows)


def _series_by_hand(path: Path) -> Any:
    times, *values = _columns_by_hand(path)
    ascending = np.array([datetime.fromisoformat(time).timestamp() for time in times])
    return (np.diff(ascending) > 0).all(), np.array([list(map(float, column)) for column in values], np.float32).T


def _write_pixels(path: Path, count: int) -> None:
    pixels = np.random.default_rng(count).integers(0, 256, (count, _PIXELS)).tolist()
    rows = (f"{number % 10},{','.join(map(str, row))}" for number, row in enumerate(pixels))
    _write(path, ",".join(["label", *(f"pixel{number}" for number in range(_PIXELS))]), rows)


def _pixels_by_hand(path: Path) -> Any:
    return np.loadtxt(path, np.uint8, delimiter=",", skiprows=1)


def _write_manifest(path: Path, count: int) -> None:
    (path.parent / "image.jpg").touch()
    rows = (f"{'./' * (number % 7)}image.jpg,class {number % 7},p{number // 30}" for number in range(count))
    _write(path, "path,label,patient", rows)


def _manifest_by_hand(path: Path) -> Any:
    paths, labels, _ = _columns_by_hand(path)
    return all((path.parent / each).is_file() for each in paths), np.unique(labels, return_inverse=True)


def _columns_by_hand(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return list(zip(*rows, strict=True))


def _write(path: Path, header: str, rows: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        file.writelines(f"{row}\n" for row in rows)


_WINDOWS = {"target": "load", "columns": ["load", "warmth", "wind"], "time": "time", "window": 24, "horizon": 2}
KINDS = {
    "ratings": Kind(1, _write_ratings, {}, _ratings_by_hand),
    "table": Kind(1, _write_table, {"target": "price", "categorical": ["town", "code"]}, _table_by_hand),
    "series": Kind(1, _write_series, _WINDOWS, _series_by_hand),
    "csv_pixels": Kind(0.02, _write_pixels, {}, _pixels_by_hand),
    "image_manifest": Kind(0.3, _write_manifest, {}, _manifest_by_hand),
}


if __name__ == "__main__":
    main()
