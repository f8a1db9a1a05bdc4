"""A table of encoded masks: the image, the class and the byte offset of each row.

Runs are read again by the row's byte offset when they are needed, so that eight bytes per row are kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqtrain.errors import DataError, GatheredErrors
from seqtrain.sources.table_file import check_names, csv_reader, place_of


class RunRow(NamedTuple):
    """One row, without its runs.

    Args:
        start: The byte at which it begins.
        image: The image's id.
        label: The class, as it is written; empty if there is none.
        has_runs: Whether there is an object.
    """

    start: int
    image: str
    label: str
    has_runs: bool


class RunTable:
    """A CSV file with a row for each object, or for each class of each image.

    Args:
        path: The file.
        image_column: The name of the column of the images' ids.
        class_column: The name of the column of the classes. If there is a column `{image_column}_{class_column}`, its
            cells hold both, joined by an underscore.
        runs_column: The name of the column of the runs.

    Raises:
        DataError: when the file is missing or empty, or lacks a column.
    """

    def __init__(self, path: Path, image_column: str, class_column: str, runs_column: str) -> None:
        from seqtrain.sources.csv_file import CsvFile

        self.path = path
        file = CsvFile(path)
        joined = f"{image_column}_{class_column}"
        self._is_joined = joined in file.names
        self._columns = [runs_column, joined if self._is_joined else image_column]
        keys = {runs_column: "runs_column", image_column: "image_column"}
        check_names(file.header, file.names, self._columns, keys)
        if class_column in file.names and not self._is_joined:
            self._columns.append(class_column)
        self._delimiter, self._runs = file.delimiter, file.names.index(runs_column)

    def rows(self) -> Iterator[RunRow]:
        """All rows, in the order of the file; blank lines are skipped.

        Raises:
            DataError: when rows have too few or too many cells, or no image or class.
        """
        import pyarrow.compute as pc

        from seqtrain.sources.csv_file import CsvFile

        errors = GatheredErrors()
        for block in CsvFile(self.path).blocks(self._columns, errors):
            runs, images, *labels = map(pc.utf8_trim_whitespace, block.cells)
            label_cells = labels[0].to_pylist() if labels else [""] * len(images)
            has_runs = pc.not_equal(runs, "").to_pylist()
            rows = map(RunRow, block.starts.tolist(), images.to_pylist(), label_cells, has_runs)
            for line, row in zip(block.lines.tolist(), rows, strict=True):
                if self._is_joined:
                    image, _, label = row.image.rpartition("_")
                    row = row._replace(image=image, label=label)
                if not row.image or (row.has_runs and not row.label and (labels or self._is_joined)):
                    errors.add(self._missing_name(row, line))
                else:
                    yield row
        errors.raise_if_any()

    def runs_at(self, start: int) -> str:
        """The runs of the row that begins at byte `start`."""
        with self.path.open("rb") as file:
            file.seek(start)
            row = next(csv_reader((line.decode("utf-8", "replace") for line in file), self._delimiter))
        return row[self._runs].strip()

    def where(self, start: int) -> str:
        """The file and the number of the line that begins at byte `start`, from 1."""
        return place_of(self.path, start)

    def _missing_name(self, row: RunRow, line: int) -> DataError:
        return DataError(
            f"the row names no {'class' if row.image else 'image'}",
            where=f"{self.path}:{line}",
            fix="complete the row, or remove it",
        )
