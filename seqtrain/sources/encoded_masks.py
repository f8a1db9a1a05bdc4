"""The source `encoded_masks`: images, and a table of run-length codes of the objects in them.

The constructor keeps 9 bytes per row of the table; the runs of a sample are decoded when a batch asks for them.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from seqtrain.errors import MOST_SHOWN, ConfigError, DataError, Mistake, one_of
from seqtrain.registry import sources
from seqtrain.sources.class_labels import check_distinct
from seqtrain.sources.image_files import ImagesById
from seqtrain.sources.mask_source import HIGHEST_ID
from seqtrain.sources.object_masks import MaskedObject, ObjectMasks
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.run_length import MaskDecodingError, Size, region_of_pairs
from seqtrain.sources.run_table import RunTable
from seqtrain.sources.table_file import no_rows

log = logging.getLogger("seqtrain")


@sources.register("encoded_masks")
class EncodedMasks(ObjectMasks):
    """Images with masks as runs in a table, as in Kaggle's competitions: `ImageId,EncodedPixels`.

    Runs are pairs of start and length; pixels are counted from 1, down the columns. An image may have several rows; an
    image without objects has a row with blank runs. Classes may be in a column of their own (`ImageId,ClassId,...`) or
    in the image's column (`ImageId_ClassId,EncodedPixels`). A pixel that several rows cover belongs to the last row.

    Args:
        path: The CSV file.
        images: The folder of the images, at any depth. An image's id is its file name, with or without extension; or
            its path below the folder, if names are not unique.
        pattern: A shell pattern of the paths, below the folder, of the table's images, such as "*/images/*".
        classes: The names of the objects' classes, without the background. If the table has numbers, the names of 1, 2
            and so on (of 0, 1 and so on if a 0 occurs); if it has names, these in the order of their ids. Default: as
            in the table, in ascending order; `object` if it has no classes.
        image_column: The name of the column of the images' ids.
        class_column: The name of the column of the classes.
        runs_column: The name of the column of the runs.
        unmatched: What to do with images without a row and rows without an image: "error", or "skip" them.

    Raises:
        ConfigError: when `classes` is empty, names a class twice, or leaves out one of the table's.
        DataError: when the table cannot be read, or images and rows do not match; and when a sample is read whose runs
            are damaged or pass the end of the image, with the row's line.

    Source:
        kaggle.com, the data pages of the 2018 Data Science Bowl, the Airbus Ship Detection Challenge, and Severstal:
        Steel Defect Detection.

    Example:
        source: {name: encoded_masks, path: data/train.csv, images: data/train_images}
    """

    def __init__(
        self,
        path: Path,
        images: Path,
        pattern: str = "*",
        classes: list[str] | None = None,
        image_column: str = "ImageId",
        class_column: str = "ClassId",
        runs_column: str = "EncodedPixels",
        unmatched: Literal["error", "skip"] = "error",
    ) -> None:
        self._table = RunTable(path, image_column, class_column, runs_column)
        listing = _Listing(self._table)
        self.classes, ids = _object_classes(listing.labels, classes, path)
        class_ids = np.array([ids[label] for label in listing.labels or [""]], dtype=np.uint8)
        found = ImagesById(images, pattern)
        files = [found.find(name) for name in listing.images]
        _check_matched(listing, files, found, skip=unmatched == "skip")
        used = sorted({file for file in files if file is not None})
        position = {file: number for number, file in enumerate(used)}
        sample = np.array([-1 if file is None else position[file] for file in files], dtype=np.int64)
        samples = sample[listing.rows[:, 0]]
        order = np.argsort(samples, kind="stable")
        order = order[np.count_nonzero(samples < 0) :]
        rows = listing.rows[order]
        super().__init__(PackedPaths(str(images), used), samples[order])
        self._class_ids = class_ids[rows[:, 1]]
        self._starts = rows[:, 2]

    def _objects(self, index: int, numbers: range, size: Size) -> Iterator[MaskedObject]:
        """The objects of an image, in the order of the rows."""
        for number in numbers:
            start = int(self._starts[number])
            try:
                region, left = region_of_pairs(self._table.runs_at(start), size)
            except MaskDecodingError as error:
                raise DataError(
                    f"{error}",
                    where=self._table.where(start),
                    expected=error.expected,
                    fix=f"mend the row, or remove it; its image is {self._paths[index]}",
                ) from error
            yield MaskedObject(int(self._class_ids[number]), region, left=left)


class _Listing:
    """The rows of a table, without their runs.

    Args:
        table: The table, which is read once.
    """

    def __init__(self, table: RunTable) -> None:
        self.table = table
        images: dict[str, int] = {}
        labels: dict[str, int] = {}
        rows = array("q")
        self.first_starts = array("q")
        for row in table.rows():
            image = images.setdefault(row.image, len(images))
            if image == len(self.first_starts):
                self.first_starts.append(row.start)
            label = labels.setdefault(row.label, len(labels)) if row.label else 0
            if row.has_runs:
                rows.extend((image, label, row.start))
        if not images:
            raise no_rows(table.path)
        self.images, self.labels = list(images), list(labels)
        self.rows = np.array(rows, dtype=np.int64).reshape(-1, 3)  # image, label, offset of the line


def _check_matched(listing: _Listing, files: list[str | None], found: ImagesById, skip: bool) -> None:
    without_row = found.unused(file for file in files if file is not None)
    without_image = [number for number, file in enumerate(files) if file is None]
    if len(without_image) == len(files) or ((without_row or without_image) and not skip):
        mistakes = [_no_image(listing, number, found.folder) for number in without_image[:MOST_SHOWN]]
        mistakes += [_no_row(found.folder / file, listing.table.path) for file in without_row[:MOST_SHOWN]]
        left = len(without_image) + len(without_row) - len(mistakes)
        raise DataError(mistakes + [Mistake(f"and {left} more rows or images without a partner")] * (left > 0))
    if without_row or without_image:
        log.warning(
            "encoded_masks: %d images without a row and %d ids without an image are left out",
            len(without_row),
            len(without_image),
        )


def _no_image(listing: _Listing, number: int, folder: Path) -> Mistake:
    return Mistake(
        f"there is no image '{listing.images[number]}' in {folder}",
        listing.table.where(listing.first_starts[number]),
        fix="correct `images` or the row, or set `unmatched: skip`",
    )


def _no_row(file: Path, table: Path) -> Mistake:
    return Mistake(
        "the image has no row in the table",
        str(file),
        fix=f"add one to {table}, with blank runs where the image has no object; or set `unmatched: skip`",
    )


def _object_classes(
    labels: Sequence[str], classes: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """The names of all ids, starting with the background, and the id of each label.

    Args:
        labels: The classes in the table, as they are written; none if it has no classes.
        classes: The names that the config gives. Numbers in the table are positions in it, from 1 or, if a 0 occurs,
            from 0, so that a class that never occurs does not shift the others.
        path: The table's path, for messages.

    Raises:
        ConfigError: when `classes` is empty, names a class twice, or leaves out one that occurs.
        DataError: when there are more classes than ids.
    """
    if classes is not None:
        check_distinct(classes)
    if not labels:
        names, ids = classes or ["object"], {"": 1}
        if len(names) > 1:
            raise ConfigError(f"classes: {path} names no classes", expected="one name", received=str(len(names)))
    elif all(label.isdecimal() for label in labels):
        names, ids = _numbered_classes(labels, classes)
    else:
        names = classes or sorted(labels)
        ids = {label: names.index(label) + 1 for label in labels if label in names}
    for label in labels:
        if not 1 <= ids.get(label, 0) <= len(names):
            raise ConfigError(
                f"classes: {path} has the class '{label}'", expected=one_of(names), fix="name every class of the table"
            )
    if len(names) > HIGHEST_ID:
        raise DataError(f"there are {len(names)} classes", where=path, expected=f"at most {HIGHEST_ID}, in one byte")
    return ("background", *names), ids


def _numbered_classes(labels: Sequence[str], classes: Sequence[str] | None) -> tuple[Sequence[str], dict[str, int]]:
    numbers = sorted({int(label) for label in labels})
    if classes is None:
        return [str(number) for number in numbers], {label: numbers.index(int(label)) + 1 for label in labels}
    first = min(1, numbers[0])
    return classes, {label: int(label) - first + 1 for label in labels}
