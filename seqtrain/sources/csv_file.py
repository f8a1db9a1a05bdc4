"""Reads a CSV file in blocks, as columns of text; all sources that are CSV tables use it.

pyarrow splits some megabytes at a time, about ten times as fast as Python's `csv`. But it reads `"2"x` as `2x`, and
does not know the line of a row if cells contain line breaks. So a block is split by `csv` if its quotes do anything but
enclose whole cells; for other blocks both give the same cells. Cells are text here; `typed_cells` converts them.

Rows that are too long or too short are errors; `csv.DictReader` would silently drop or fill in cells.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import os
import re
from collections.abc import Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as pa_csv

from seqtrain.errors import DataError, GatheredErrors, unreadable
from seqtrain.sources.table_file import csv_reader, place_of

DELIMITERS = (",", ";", "\t")

BLOCK_BYTES = 1 << 22
"""The number of bytes that are read at a time."""

LONGEST_LINE_BYTES = 1 << 26  # a longer line means that the file is not a table


class Block(NamedTuple):
    """Some of the rows of a file.

    Args:
        cells: The requested columns, each an Arrow array of text.
        lines: The line on which each row ends, from 1.
        starts: The byte at which each row begins.
    """

    cells: tuple[Any, ...]
    lines: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]


class _Split(NamedTuple):
    """The rows of a block of text.

    Args:
        cells: The requested columns.
        first_lines: The lines on which rows begin, from 0.
        last_lines: The lines on which rows end.
        ragged: The number of cells of rows with a wrong number, by the line on which they end; `cells` is without them.
        blank: The lines that are blank.
    """

    cells: tuple[Any, ...]
    first_lines: npt.NDArray[np.int64]
    last_lines: npt.NDArray[np.int64]
    ragged: dict[int, int]
    blank: npt.NDArray[np.int64]


class CsvFile:
    """A CSV file separated by commas, semicolons or tabs, whichever is most frequent in its first row.

    Args:
        path: The file.
        blank_lines: What to do about a blank line before a row; blank lines at the end are always skipped.

    Attributes:
        names: The names of the columns: the first row that is not blank.
        header: The place of the header, for messages.
        start: The byte at which the rows begin.
        lines_before: The number of lines before the rows.

    Raises:
        DataError: when the file is missing, empty or not UTF-8.
    """

    def __init__(self, path: Path, blank_lines: Literal["skip", "refuse"] = "skip") -> None:
        self.path, self._blank_lines = path, blank_lines
        with opened(path) as file:
            self._begin = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
            file.seek(self._begin)
            text = next(self._texts(file, GatheredErrors()), b"")
        rows = io.BytesIO(text.lstrip(b"\r\n"))
        num_blank = text.count(b"\n") - rows.getvalue().count(b"\n")
        first_line = rows.getvalue().partition(b"\n")[0].decode()
        if not first_line.strip():
            fix = "check that the file was copied whole"
            raise DataError("is empty", where=path, expected="a table in CSV", fix=fix)
        self.delimiter = max(DELIMITERS, key=first_line.count)
        reader: Any = csv_reader((line.decode() for line in rows), self.delimiter, strict=True)
        try:
            self.names = [cell.strip() for cell in next(reader)]
        except csv.Error as error:
            raise self._unreadable(error, num_blank + 1) from error
        self.lines_before = num_blank + reader.line_num
        self.start = self._begin + len(text) - len(rows.getvalue()) + rows.tell()
        self.header = f"{path}:{self.lines_before}"

    def without_header(self, names: Sequence[str]) -> None:
        """Treats the first row as data, and gives names to the first columns."""
        self.names = [*names, *(f"column {number + 1}" for number in range(len(names), len(self.names)))]
        self.lines_before, self.start = 0, self._begin

    def blocks(self, names: Collection[str], errors: GatheredErrors) -> Iterator[Block]:
        """All rows that are not blank, some thousands at a time.

        Args:
            names: The requested columns.
            errors: Collects the errors in the format of rows.

        Raises:
            DataError: with all errors, when there are very many of them, or the file is not UTF-8.
        """
        columns = [self.names.index(name) for name in names]
        line, start = self.lines_before, self.start
        blank = np.empty(0, np.int64)
        with opened(self.path) as file:
            file.seek(start)
            texts = self._texts(file, errors)
            for text in texts:
                if self._is_plain(text):
                    ends = _line_ends(text)
                    split = self._split_plain(text, ends, columns)
                else:
                    text, split = self._split_slowly(text, texts, columns, line, errors)
                    ends = _line_ends(text)
                if self._blank_lines == "refuse":
                    last = line + 1 + max([*split.last_lines[-1:].tolist(), *split.ragged], default=-1)
                    blank = np.append(blank, line + 1 + split.blank)
                    for number in blank[blank < last].tolist():
                        errors.add(self._blank(number))
                    blank = blank[blank > last]
                for number, num_cells in split.ragged.items():
                    errors.add(self._ragged(line + 1 + number, num_cells))
                if len(split.last_lines):
                    starts = start + np.append(0, ends + 1)[split.first_lines]
                    yield Block(split.cells, line + 1 + split.last_lines, starts)
                line, start = line + len(ends), start + len(text)

    def _texts(self, file: BinaryIO, errors: GatheredErrors) -> Generator[bytes]:
        """Blocks of complete lines, which end in a line feed, perhaps after a carriage return."""
        start = file.tell()
        while text := file.read(BLOCK_BYTES) + file.readline(LONGEST_LINE_BYTES):
            # Without a line feed in so many bytes, lines end in a carriage return alone.
            if len(text) == BLOCK_BYTES + LONGEST_LINE_BYTES and b"\r" in text:
                file.seek(text.rindex(b"\r") + 1 - len(text), os.SEEK_CUR)
                text = text[: text.rindex(b"\r") + 1]
            if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
                text = re.sub(rb"\r(?!\n)", b"\n", text)
            num_good = _num_decodable(text)
            if num_good:
                yield text[:num_good] if num_good < len(text) else text
            if num_good < len(text):
                errors.raise_if_any()
                fix = "save it as CSV with the encoding UTF-8"
                raise DataError("is not text in UTF-8", where=place_of(self.path, start + num_good), fix=fix)
            start += len(text)

    def _is_plain(self, text: bytes) -> bool:
        """Whether pyarrow and `csv` split a text alike: quotes enclose whole cells, without quotes or line breaks."""
        if text.startswith(codecs.BOM_UTF8):  # pyarrow would remove it as a byte order mark
            return False
        if b'"' not in text:
            return True
        between = re.escape(self.delimiter.encode())
        quoted = re.compile(rb'(?:^|%b)"[^"\n]*"(?=%b|\r?$)' % (between, between), re.MULTILINE)
        return text.count(b'"') == 2 * len(quoted.findall(text))

    def _split_plain(self, text: bytes, ends: npt.NDArray[np.int64], columns: Sequence[int]) -> _Split:
        """Splits plain text with pyarrow."""
        ends_in_return = np.frombuffer(text, np.uint8)[ends - 1] == ord("\r")
        is_filled = np.diff(ends, prepend=-1) - 1 > ends_in_return
        lines = np.flatnonzero(is_filled)
        names = [str(column) for column in range(len(self.names))]
        ragged: dict[int, int] = {}

        def skip(row: Any) -> str:
            ragged[row.number - 1] = row.actual_columns
            return "skip"

        table = pa_csv.read_csv(
            pa.BufferReader(text),
            pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
            pa_csv.ParseOptions(delimiter=self.delimiter, invalid_row_handler=skip),
            pa_csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[column] for column in columns],
            ),
        )
        cells = tuple(table.column(names[column]).combine_chunks() for column in columns)
        rows = np.delete(lines, list(ragged)) if ragged else lines
        ragged = {int(lines[row]): num_cells for row, num_cells in ragged.items()}
        return _Split(cells, rows, rows, ragged, np.flatnonzero(~is_filled))

    def _split_slowly(
        self, text: bytes, following: Generator[bytes], columns: Sequence[int], line: int, errors: GatheredErrors
    ) -> tuple[bytes, _Split]:
        """Splits any text with `csv`; reads more of the file if the last cell is not complete."""
        texts, ends = [text], [0]

        def lines() -> Iterator[str]:
            while texts[-1]:
                yield from (each.decode() for each in io.BytesIO(texts[-1]))
                texts.append(next(following, b"") if reader.line_num > ends[-1] else b"")

        reader: Any = csv_reader(lines(), self.delimiter, strict=True)
        rows: list[list[str]] = []
        try:
            for row in reader:
                rows.append(row)
                ends.append(reader.line_num)
        except csv.Error as error:
            errors.add(self._unreadable(error, line + ends[-1] + 1))
            following.close()  # after a wrong quote, no cell can be trusted
        lengths, bounds = np.array([len(row) for row in rows], np.int64), np.array(ends)
        kept = np.flatnonzero(lengths == len(self.names))
        cells = tuple(pa.array([rows[number][column] for number in kept.tolist()], pa.string()) for column in columns)
        last_lines = bounds[1:] - 1
        is_ragged = (lengths != len(self.names)) & (lengths > 0)
        ragged = dict(zip(last_lines[is_ragged].tolist(), lengths[is_ragged].tolist(), strict=True))
        return b"".join(texts), _Split(cells, bounds[kept], last_lines[kept], ragged, last_lines[lengths == 0])

    def _unreadable(self, error: csv.Error, line: int) -> DataError:
        where = f"{self.path}:{line}"
        return DataError(f"the row cannot be read: {error}", where=where, fix="check its quotes")

    def _blank(self, line: int) -> DataError:
        return DataError("the row is blank", where=f"{self.path}:{line}", fix="correct the row or delete it")

    def _ragged(self, line: int, num_cells: int) -> DataError:
        return DataError(
            "the row does not have one cell for each column",
            where=f"{self.path}:{line}",
            expected=f"{len(self.names)} cells, as in the {'header' if self.lines_before else 'first row'}",
            received=str(num_cells),
            fix="put a cell that holds the separator in double quotes; an empty cell still needs its separator",
        )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Opens a file.

    Raises:
        DataError: when the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise unreadable(path, error, expected="a CSV file", fix="check the path") from error


def _line_ends(text: bytes) -> npt.NDArray[np.int64]:
    """The position at which each line ends."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    return ends if text.endswith(b"\n") else np.append(ends, len(text))


def _num_decodable(text: bytes) -> int:
    """The length of the lines before the first that is not UTF-8."""
    if text.isascii():
        return len(text)
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return text.rfind(b"\n", 0, error.start) + 1
    return len(text)
