"""The source `csv_pixels`: images as rows of a CSV file, which may be larger than memory.

One pass over the file finds the offset and the label of each row, 16 bytes per row. Pixels are read when a batch asks
for them, with positioned reads, so that threads and forked processes can share the file.
"""

from __future__ import annotations

import copy
import os
import weakref
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, ConfigError, DataError, Mistake, unreadable, without_repeats
from seqtrain.registry import sources
from seqtrain.sources.base import Source, only
from seqtrain.sources.class_labels import class_names
from seqtrain.sources.digits_text import parse_plain, parse_slowly
from seqtrain.sources.number_text import is_number
from seqtrain.sources.table_file import check_names
from seqtrain.structure import FieldSpec
from seqtrain.types import ImageSize, Positive

_LONGEST_FIELD = 64  # bytes; a line with longer fields is not a row of pixels
_HIGHEST_LABEL = 2**31 - 1
_MOST_DIGITS = len(str(_HIGHEST_LABEL))


@sources.register("csv_pixels")
class CsvPixels(Source):
    """Images as rows of a CSV file: a label, and one column per pixel, row by row from the top left.

    With a header (`label,pixel0,pixel1,...`) the label may be any column; without one it is the first.

    Args:
        path: The CSV file.
        label_column: The name of the label's column.
        image_size: Height and width of the images.
        channels: The number of values per pixel, which are adjacent columns.
        classes: The names of the classes, by label. Default: "0", "1" and so on.

    Raises:
        DataError: when the file is missing or empty, or a row has too few or too many columns, or a label that is not a
            class index; and when a row is read with a pixel that is not a whole number from 0 to 255.
        ConfigError: when the label's column is named for a table without a header.

    Example:
        source: {name: csv_pixels, path: data/train.csv, image_size: [28, 28]}
    """

    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __init__(
        self,
        path: Path,
        label_column: str = "label",
        image_size: ImageSize = (28, 28),
        channels: Positive = 1,
        classes: list[str] | None = None,
    ) -> None:
        self._shape = (*image_size, channels)
        self._num_pixels = image_size[0] * image_size[1] * channels
        self._max_row_bytes = _LONGEST_FIELD * (self._num_pixels + 1)  # bytes of a row that are read at most
        self._label_column = label_column
        self._list(path)
        self.classes = class_names(self.labels, classes, self.describe)

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The images of another CSV file, with or without the column of labels; their labels are all zero.

        Raises:
            DataError: see the class.
        """
        other = copy.copy(self)
        other._list(only(inputs, "table"), needs_labels=False)
        return other

    def _list(self, path: Path, needs_labels: bool = True) -> None:
        """Opens a file, and finds its rows and labels."""
        from seqtrain.sources.csv_file import CsvFile

        self._path = path
        self._open()
        file = CsvFile(path)
        if file.delimiter != ",":
            raise DataError(f"is separated by {file.delimiter!r}", where=file.header, expected="commas")
        self._label_position: int | None = 0
        if is_number(file.names[0]):
            if self._label_column != "label" and needs_labels:
                raise ConfigError(
                    f"label_column: '{self._label_column}' cannot be found, {path} has no header",
                    fix="leave label_column out (the label is the first column), or add a header",
                )
            if len(file.names) != self._num_pixels + 1 and not needs_labels:
                self._label_position = None
            file.without_header(file.names)
        elif self._label_column in file.names or needs_labels:
            check_names(file.header, file.names, [self._label_column])
            self._label_position = file.names.index(self._label_column)
        else:
            self._label_position = None
        self._first_row = file.lines_before + 1
        self._offsets, self.labels = self._index(file.start, needs_labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = np.empty((1, *self._shape), np.uint8)
        self.read_rows(np.array([range(len(self))[index]]), {"x": image})
        return {"x": image[0], "y": self.labels[index]}

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The shapes and dtypes of the images and the labels."""
        return {"x": FieldSpec(self._shape, "uint8"), "y": FieldSpec((), self.labels.dtype.name)}

    def read_rows(self, indices: npt.NDArray[np.integer], rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes samples into rows; they are read in the order in which they are stored.

        Raises:
            DataError: when a pixel is not a whole number from 0 to 255.
        """
        if "y" in rows:
            rows["y"][...] = self.labels[indices]
        if "x" in rows:
            order = np.argsort(indices)
            pixels = self._pixels(indices[order].tolist())
            rows["x"][order] = pixels.reshape(-1, *self._shape)

    def describe(self, index: int) -> str:
        """The file and the row, counted from 1 with the header."""
        return f"{self._path}:{index + self._first_row}"

    def _pixels(self, indices: list[int]) -> npt.NDArray[np.uint8]:
        texts = [self._pixel_text(index) for index in indices]
        plain = parse_plain(b",".join([*texts, b""]))
        if plain is not None and plain.size == len(texts) * self._num_pixels:
            return plain
        return np.stack([self._parse_slowly(index, text) for index, text in zip(indices, texts, strict=True)])

    def _pixel_text(self, index: int) -> bytes:
        start, end = int(self._offsets[index]), int(self._offsets[index + 1])
        row = os.pread(self._descriptor, end - start, start).rstrip()
        if self._label_position is None:
            return row
        fields = row.split(b",", self._label_position + 1)
        del fields[self._label_position]
        return b",".join(fields)

    def _parse_slowly(self, index: int, text: bytes) -> npt.NDArray[np.uint8]:
        tokens = text.split(b",")
        if len(tokens) != self._num_pixels:
            raise self._column_count_error(index, f"{len(tokens) + (self._label_position is not None)} columns")
        pixels = parse_slowly(tokens)
        if isinstance(pixels, Mistake):
            raise DataError([replace(pixels, where=self.describe(index), fix="correct the row or delete it")])
        return pixels

    def _index(self, start: int, needs_labels: bool) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """The offset of each row, followed by the end of the last row; and the labels."""
        offsets, labels = array("Q", [start]), array("q")
        mistakes: list[Mistake] = []
        for row in self._rows(start):
            label = 0
            try:
                self._check_columns(len(labels), row)
                label = self._label(len(labels), row) if needs_labels else 0
            except DataError as error:
                mistakes += error.mistakes
            labels.append(label)
            offsets.append(offsets[-1] + len(row))
            # After a row that is far too long, and therefore read in pieces, lines cannot be counted.
            if len(mistakes) == MOST_LISTED or (mistakes and not row.endswith(b"\n")):
                break
        if mistakes:
            raise DataError(without_repeats(mistakes, len(labels)))
        if not labels:
            raise DataError("holds no rows", where=self._path, fix="check that the file was copied whole")
        return np.frombuffer(offsets, np.uint64), np.frombuffer(labels, np.int64)

    def _rows(self, start: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            blank = 0
            while row := file.readline(self._max_row_bytes):
                if row.isspace():
                    blank += 1
                    continue
                # Blank lines count as rows, except at the end of the file.
                yield from [b"\n"] * blank
                blank = 0
                yield row

    def _check_columns(self, index: int, row: bytes) -> None:
        num_columns = row.count(b",") + 1
        if num_columns != self._num_pixels + (self._label_position is not None):
            is_piece = len(row) == self._max_row_bytes and not row.endswith(b"\n")
            raise self._column_count_error(
                index, f"more than {len(row)} bytes" if is_piece else f"{num_columns} columns"
            )

    def _label(self, index: int, row: bytes) -> int:
        position = self._label_position or 0
        text = row.split(b",", position + 1)[position]
        try:
            return _class_index(text)
        except ValueError as error:
            raise DataError(
                "the label is no whole number that can be a class",
                where=self.describe(index),
                expected="a class index: 0, 1, 2 ...",
                received=repr(text.decode("latin-1").strip()[:_LONGEST_FIELD]),
                fix="correct the row or delete it",
            ) from error

    def _column_count_error(self, index: int, has: str) -> DataError:
        pixels = f"{self._num_pixels} pixels for the shape {self._shape}"
        return DataError(
            f"the row has {has}",
            where=self.describe(index),
            expected=pixels if self._label_position is None else f"{self._num_pixels + 1}: the label and {pixels}",
            fix="correct the row or delete it; where all rows are so long, set image_size and channels",
        )

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            fix = "check the path; relative ones are relative to the config file"
            raise unreadable(self._path, error, fix=fix) from error
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_descriptor", "_close")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


def _class_index(text: bytes) -> int:
    """The class index in a cell, which may be written as 3.0."""
    if text.isdigit() and len(text) < _MOST_DIGITS:
        return int(text)
    value = float(text) if is_number(text.decode("latin-1")) else float("nan")
    if not (value.is_integer() and abs(value) <= _HIGHEST_LABEL):
        raise ValueError(f"{value} is no label")
    return int(value)
