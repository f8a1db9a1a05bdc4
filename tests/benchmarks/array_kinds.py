"""Rows of arrays: compressed chunks of HDF5, which are decoded; tables and windows, where nothing is.

A table by hand is scaled and encoded once, at the start, as code with pandas does it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tests.benchmarks.data import photographs
from tests.benchmarks.kind import Kind, shuffled
from tests.benchmarks.same_work import different_numbers
from tests.benchmarks.sequences import pillow_picture

_SIDE = 128
_ROWS_IN_A_CHUNK = 16
_WINDOW, _HORIZON = 168, 24
_SERIES = ("load", "temperature", "wind", "price")
_NUMBERS, _CATEGORIES = 12, 4


def hdf5(data: Path, quick: bool) -> Path:
    """Photographs in chunks of some rows, through gzip."""
    import h5py

    count = 40 if quick else 2000
    path = data / f"pictures-{count}.h5"
    if path.exists():
        return path
    files = sorted(photographs(data, 20 if quick else 400).glob("*/*.jpg"))
    pictures = [pillow_picture(str(file), (_SIDE, _SIDE)) for file in files]
    writing = path.with_suffix(".part")
    with h5py.File(writing, "w") as file:
        shape = (_SIDE, _SIDE, 3)
        chunks = (_ROWS_IN_A_CHUNK, *shape)
        images = file.create_dataset("images", (count, *shape), np.uint8, chunks=chunks, compression="gzip")
        for start in range(0, count, len(pictures)):
            turned = np.rot90(pictures, start // len(pictures), axes=(1, 2))
            images[start : start + len(pictures)] = turned[: count - start]
        file["labels"] = (np.arange(count) % 10).astype(np.int64)
    writing.rename(path)
    return path


class Hdf5Rows:
    """Rows of an open file: those of a batch, in ascending order, as h5py wants them.

    Args:
        path: The file.
        batch_size: Rows in a batch.
        training: Whether to shuffle.
    """

    def __init__(self, path: Path, batch_size: int, training: bool) -> None:
        import h5py

        file = h5py.File(path, "r")
        self.images, self.labels = file["images"], file["labels"]
        self.batch_size = batch_size
        self.order = shuffled(len(self.images), training)

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.sort(self.order[index * self.batch_size : (index + 1) * self.batch_size])
        return self.images[rows], self.labels[rows].astype(np.int32)


class Hdf5InOrder(Hdf5Rows):
    """Batches of neighbours, never shuffled."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.images[part], self.labels[part].astype(np.int32)


def table(data: Path, quick: bool) -> Path:
    """A CSV of numbers, categories and a number to predict."""
    count = 300 if quick else 200_000
    path = data / f"table-{count}.csv"
    if not path.exists():
        generator = np.random.default_rng(0)
        numbers = generator.normal(3, 5, (count, _NUMBERS + 1)).round(4)
        names = [np.array([f"kind {n}" for n in range(5 * 3**c)]) for c in range(_CATEGORIES)]
        categories = [column[generator.integers(0, len(column), count)] for column in names]
        header = [*(f"n{n}" for n in range(_NUMBERS)), "target", *(f"c{c}" for c in range(_CATEGORIES))]
        _write(path, header, zip(*numbers.T.tolist(), *categories, strict=True))
    return path


class TableRows:
    """Rows of arrays that were scaled and encoded at the start.

    Args:
        path: The CSV file.
        batch_size: Rows in a batch.
        training: Whether to shuffle.
    """

    def __init__(self, path: Path, batch_size: int, training: bool) -> None:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        numbers = np.array([columns[f"n{n}"] for n in range(_NUMBERS)], dtype=np.float64).T
        target = np.array(columns["target"], dtype=np.float64)
        self.numbers, self.target = _scaled(numbers), _scaled(target)
        self.ids = {
            f"c{c}": np.unique(columns[f"c{c}"], return_inverse=True)[1].astype(np.int32) + 2
            for c in range(_CATEGORIES)
        }
        self.batch_size = batch_size
        self.order = shuffled(len(rows), training)

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        ids = {name: column[rows] for name, column in self.ids.items()}
        return {"numeric": self.numbers[rows], **ids}, self.target[rows]


def series(data: Path, quick: bool) -> Path:
    """CSV files of some series."""
    count = 300 if quick else 20_000
    folder = data / f"series-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(8):
        path = folder / f"{number}.csv"
        if not path.exists():
            steps = np.random.default_rng(number).normal(size=(count, len(_SERIES)))
            _write(path, list(_SERIES), np.cumsum(steps, axis=0).round(3).tolist())
    return folder


class Windows:
    """Windows of series that were scaled at the start.

    Args:
        folder: Of the CSV files.
        batch_size: Windows in a batch.
        training: Whether to shuffle.
    """

    def __init__(self, folder: Path, batch_size: int, training: bool) -> None:
        files = sorted(folder.glob("*.csv"))
        series = [np.loadtxt(file, delimiter=",", skiprows=1) for file in files]
        self.values = np.split(_scaled(np.concatenate(series)), len(series))
        starts = range(len(series[0]) - _WINDOW - _HORIZON + 1)
        self.windows = [(number, start) for start in starts for number in range(len(series))]
        self.batch_size = batch_size
        self.order = shuffled(len(self.windows), training)

    def __len__(self) -> int:
        return -(-len(self.windows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = [], []
        for window in self.order[index * self.batch_size : (index + 1) * self.batch_size]:
            number, start = self.windows[window]
            x.append(self.values[number][start : start + _WINDOW])
            y.append(self.values[number][start + _WINDOW : start + _WINDOW + _HORIZON, :1])
        return np.array(x), np.array(y)


def _scaled(values: np.ndarray) -> np.ndarray:
    return ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float32)


def _write(path: Path, header: list[str], rows: object) -> None:
    writing = path.with_suffix(".part")
    with writing.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    writing.rename(path)


def _windows_source(at: Path) -> dict[str, object]:
    columns = {"target": _SERIES[0], "columns": list(_SERIES)}
    return {"name": "series", "path": at, **columns, "window": _WINDOW, "horizon": _HORIZON}


ARRAY_KINDS = [
    Kind(
        "HDF5, gzip chunks",
        hdf5,
        lambda at: {"name": "hdf5", "path": at, "x": "images", "y": "labels"},
        {"name": "arrays"},
        32,
        {"h5py, shuffled rows": Hdf5Rows, "h5py, never shuffled": Hdf5InOrder},
        num_batches=30,
        at_least=2.0,
        differs=lambda folder, ours, theirs: different_numbers(ours, theirs),
        needs=("h5py",),
    ),
    Kind(
        "table",
        table,
        lambda at: {"name": "table", "path": at, "target": "target"},
        {"name": "table"},
        256,
        {"NumPy": TableRows},
        num_batches=1500,
        differs=lambda folder, ours, theirs: different_numbers(ours, theirs),
    ),
    Kind(
        "windows",
        series,
        _windows_source,
        {"name": "windows"},
        64,
        {"NumPy": Windows},
        num_batches=1000,
        differs=lambda folder, ours, theirs: different_numbers(ours, theirs),
    ),
]
