"""Reads the header and the first rows of the tables in a folder, to recognise their kind."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pyarrow import parquet

from seqtrain.errors import DataError
from seqtrain.init.listing import Listing, is_held_out, is_training
from seqtrain.sources.csv_file import CsvFile
from seqtrain.sources.number_text import has_decimal_comma, is_missing, is_number
from seqtrain.sources.table_file import csv_reader

_EXTENSIONS = (".csv", ".tsv", ".parquet", ".data")
_ROWS = 2000
_MOST_FILES = 50
_CHECKED_CHARACTERS = 1 << 20
_CHARACTERS = 1 << 24  # reading stops after a row that exceeds this
_QUICKLY_COUNTED = 1 << 28  # bytes


@dataclass(frozen=True)
class CsvSample:
    """The first rows of a table.

    Args:
        path: The file.
        file: The same, relative to the listing's folder.
        header: The names of the columns; empty if the first row is all numbers.
        rows: The first rows, as text.
        is_whole: Whether the table has no other rows.
    """

    path: Path
    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_whole: bool

    def named(self, *names: str) -> str | None:
        """The first column with one of these names, ignoring case and underscores."""
        columns = {normalized_name(name): name for name in reversed(self.header)}
        return next((columns[name] for name in names if name in columns), None)

    def column(self, name: str) -> list[str]:
        """The cells of a column, without empty ones."""
        position = self.header.index(name)
        return [row[position] for row in self.rows if not is_missing(row[position])]

    @cached_property
    def num_rows(self) -> int:
        """The number of rows; for a large file, an estimate from its size."""
        if self.is_whole or not self.rows:
            return len(self.rows)
        if self.path.suffix.lower() == ".parquet":
            return int(parquet.ParquetFile(self.path).metadata.num_rows)
        if self._is_quick:
            with self.path.open("rb") as file:
                return sum(1 for line in file if line.strip()) - bool(self.header)
        length = sum(sum(map(len, row)) + len(row) for row in self.rows) / len(self.rows)
        return round(self.path.stat().st_size / length)

    def rows_text(self) -> str:
        """The number of rows as text."""
        return f"{self.num_rows:,} rows" if self._is_quick else f"about {self.num_rows:,} rows"

    @property
    def _is_quick(self) -> bool:
        return self.path.suffix.lower() == ".parquet" or self.path.stat().st_size <= _QUICKLY_COUNTED


def normalized_name(name: str) -> str:
    """A name in lower case, without anything but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def csv_samples(listing: Listing) -> list[CsvSample]:
    """The readable tables of a folder: training tables first, test tables last."""
    files = sorted(
        listing.with_extension(*_EXTENSIONS), key=lambda file: (is_for_test(file), not is_training(Path(file).stem))
    )
    return [sample for file in files[:_MOST_FILES] if (sample := _sample(listing.root / file, file)) is not None]


def is_for_test(file: str) -> bool:
    """Whether a table's name says that it is for a test, or a sample submission."""
    return is_held_out(Path(file).stem) or "submission" in file.lower()


def check_is_utf8(listing: Listing) -> None:
    """Checks that the tables are UTF-8, since nothing can be recognised in others.

    Raises:
        DataError: when a table is not UTF-8.
    """
    for file in listing.with_extension(".csv", ".tsv")[:_MOST_FILES]:
        with (listing.root / file).open(encoding="utf-8") as opened:
            try:
                opened.read(_CHECKED_CHARACTERS)
            except UnicodeDecodeError as error:
                raise DataError(
                    "is not text in UTF-8", where=listing.root / file, fix="save it as CSV with the encoding UTF-8"
                ) from error


def check_decimal_points(sample: CsvSample) -> None:
    """Checks for decimal commas: no source reads them, and the column would be ignored as text.

    Raises:
        DataError: when most cells of a column have a decimal comma.
    """
    for name in sample.header:
        cells = sample.column(name)
        with_comma = list(filter(has_decimal_comma, cells))
        if 2 * len(with_comma) > len(cells):
            raise DataError(
                f"the column '{name}' holds numbers with a comma",
                where=sample.path,
                expected="a decimal point, such as 12.5",
                received=repr(with_comma[0]),
                fix="save the file with decimal points",
            )


def _sample(path: Path, file: str) -> CsvSample | None:
    if path.suffix.lower() == ".parquet":
        rows = _parquet(path)
        is_whole = len(rows) <= _ROWS + 1
    else:
        try:
            rows, is_whole = _first_rows(path)
        except (DataError, UnicodeDecodeError, csv.Error):
            return None
    if len(rows) < 2:
        return None
    is_header = not all(is_number(cell) for cell in rows[0])
    body = [row for row in rows[is_header : _ROWS + is_header] if len(row) == len(rows[0])]
    return CsvSample(path, file, rows[0] if is_header else (), tuple(body), is_whole)


def _first_rows(path: Path) -> tuple[list[tuple[str, ...]], bool]:
    """The first rows, and whether there are no others."""
    delimiter = CsvFile(path).delimiter
    with path.open(newline="", encoding="utf-8-sig") as opened:
        rows, size = [], 0
        for row in filter(None, csv_reader(opened, delimiter)):
            rows.append(tuple(cell.strip() for cell in row))
            size += sum(map(len, row))
            if len(rows) > _ROWS or (size > _CHARACTERS and len(rows) > 1):
                return rows, False
        return rows, True


def _parquet(path: Path) -> list[tuple[str, ...]]:
    file = parquet.ParquetFile(path)
    batch = next(file.iter_batches(batch_size=_ROWS + 1), None)
    columns = [] if batch is None else [["" if v is None else str(v) for v in column.to_pylist()] for column in batch]
    return [tuple(file.schema_arrow.names), *zip(*columns, strict=True)]
