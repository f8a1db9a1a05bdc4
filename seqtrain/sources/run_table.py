"""A table of encoded masks as bytes: whose each row is, and where it stands. Runs are not looked at until asked for.

One pass over the file splits each line at its commas (or semicolons or tabs, as the header has them), about a million
lines a second. The number of a line is found only for a message, by counting the lines before it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqtrain.errors import DataError, nearest, one_of

_BLOCK = 1 << 20
_AROUND = b' "\r\n\t'
_DELIMITERS = (b",", b";", b"\t")


class RunRow(NamedTuple):
    """One row, without its runs.

    Args:
        start: The byte where its line begins.
        image: The image's id.
        label: The class, as it is written; empty where there is none.
        has_runs: Whether there is an object.
    """

    start: int
    image: bytes
    label: bytes
    has_runs: bool


class RunTable:
    """A CSV file with a row for each object, or for each class of each image.

    Args:
        path: The file.
        image_column: The header's name for the images' ids.
        class_column: The header's name for the classes. Where a column is called `image_class` instead, an underscore
            parts both in its cells.
        runs_column: The header's name for the runs.

    Raises:
        DataError: when the file is missing or empty, or lacks a column.
    """

    def __init__(self, path: Path, image_column: str, class_column: str, runs_column: str) -> None:
        self.path = path
        header, self._delimiter, self._start = _header(path)
        joined = f"{image_column}_{class_column}"
        self._is_joined = joined in header
        self._image = self._position(header, joined if self._is_joined else image_column, "image_column")
        self._label = header.index(class_column) if class_column in header and not self._is_joined else None
        self._runs = self._position(header, runs_column, "runs_column")
        self._num_columns = len(header)

    @property
    def has_classes(self) -> bool:
        """Whether rows name a class."""
        return self._is_joined or self._label is not None

    def rows(self) -> Iterator[RunRow]:
        """All rows, in the order of the file; blank lines are passed over.

        Raises:
            DataError: when a row is ragged, or names no image or no class.
        """
        start = self._start
        with self.path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.isspace():
                    yield self._row(line, start)
                start += len(line)

    def runs_at(self, start: int) -> str:
        """The runs of the row whose line begins at byte `start`."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.readline().split(self._delimiter)[self._runs].strip(_AROUND).decode("latin-1")

    def where(self, start: int) -> str:
        """The file and the number of the line that begins at byte `start`, from 1."""
        number = 1
        with self.path.open("rb") as file:
            while block := file.read(min(_BLOCK, start - file.tell())):
                number += block.count(b"\n")
        return f"{self.path}:{number}"

    def _row(self, line: bytes, start: int) -> RunRow:
        cells = line.split(self._delimiter)
        if len(cells) != self._num_columns:
            raise DataError(
                f"the row has {len(cells)} cells",
                where=self.where(start),
                expected=f"{self._num_columns}, as in the header",
                fix="an image without objects still needs its delimiter; neither ids nor runs may hold one",
            )
        image = cells[self._image].strip(_AROUND)
        label = b"" if self._label is None else cells[self._label].strip(_AROUND)
        if self._is_joined:
            image, _, label = image.rpartition(b"_")
        has_runs = bool(cells[self._runs].strip(_AROUND))
        if not image or (has_runs and self.has_classes and not label):
            raise DataError(
                f"the row names no {'class' if image else 'image'}",
                where=self.where(start),
                received=line[:80].decode("utf-8", "replace").strip(),
                fix="complete the row, or remove it",
            )
        return RunRow(start, image, label, has_runs)

    def _position(self, header: list[str], name: str, argument: str) -> int:
        if name not in header:
            similar = nearest(name, header)
            raise DataError(
                f"there is no column '{name}'",
                where=f"{self.path}:1",
                expected=one_of(header),
                fix=f"set `{argument}: {similar}`" if similar else f"set `{argument}` to its name in the header",
            )
        return header.index(name)


def _header(path: Path) -> tuple[list[str], bytes, int]:
    """The names of the columns, what is between cells, and the byte where the first row begins."""
    try:
        with path.open("rb") as file:
            line = file.readline(_BLOCK)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise DataError(
            "no such file" if missing else f"the file cannot be read: {error.strerror}", where=path
        ) from error
    if not line.strip():
        raise DataError("the file is empty", where=path, expected="a header and a row for each object")
    delimiter = max(_DELIMITERS, key=line.count)
    names = line.removeprefix(codecs.BOM_UTF8).split(delimiter)
    return [name.strip(_AROUND).decode("utf-8", "replace") for name in names], delimiter, len(line)
