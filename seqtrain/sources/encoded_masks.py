"""The source `encoded_masks`: images, and a table of run-length codes of the objects in them.

Listing reads the ids and keeps 9 bytes for each row; the runs of a sample are decoded when a batch asks for them.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from seqtrain.errors import MOST_TOLD, ConfigError, DataError, Mistake, one_of
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
    """Images whose masks a table holds as runs, as in Kaggle's competitions: `ImageId,EncodedPixels`.

    Runs are pairs of start and length; pixels are counted from 1, down the columns. An image may have several rows; one
    without objects has a row with blank runs. Classes may stand in a column of their own (`ImageId,ClassId,...`) or in
    the image's (`ImageId_ClassId,EncodedPixels`). A pixel that several rows cover belongs to the last of them.

    Args:
        path: The CSV file.
        images: The folder of the images, at any depth. Ids are their names, with or without extension; or their paths
            below the folder, where names are not enough.
        pattern: Which of the folder's files are images of the table, as a shell pattern of their paths below it, such
            as "*/images/*".
        classes: The names of the objects' classes, without the background. Where the table has numbers, the names of
            1, 2 and so on (of 0, 1 and so on where a 0 occurs); where it has names, these in the order of their ids.
            Default: as the table writes them, in ascending order; `object` where it has no classes.
        image_column: The header's name for the images' ids.
        class_column: The header's name for the classes.
        runs_column: The header's name for the runs.
        unmatched: What to do with images without a row and rows without an image: "error", or "skip" them.

    Raises:
        ConfigError: when `classes` is empty, names a class twice, or leaves out one of the table's.
        DataError: when the table cannot be listed, or images and rows do not match; and when a sample is read, for runs
            that are damaged or pass the end of the image, named by their row.

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
        """In the order of the rows."""
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
    """What a table says, without its runs.

    Args:
        table: It is read through once.
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
        self.rows = np.array(rows, dtype=np.int64).reshape(-1, 3)  # image, label, where the line begins


def _check_matched(listing: _Listing, files: list[str | None], found: ImagesById, skip: bool) -> None:
    without_row = found.others(file for file in files if file is not None)
    without_image = [number for number, file in enumerate(files) if file is None]
    if len(without_image) == len(files) or ((without_row or without_image) and not skip):
        told = [_no_image(listing, number, found.folder) for number in without_image[:MOST_TOLD]]
        told += [_no_row(found.folder / file, listing.table.path) for file in without_row[:MOST_TOLD]]
        left = len(without_image) + len(without_row) - len(told)
        raise DataError(told + [Mistake(f"and {left} more rows or images without a partner")] * (left > 0))
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
    """The names of all ids, the background's first, and the id of each label.

    Args:
        labels: The classes that occur in the table, as they are written; none where it has no classes.
        classes: The names that the config gives. Numbers of the table count from 1 through them, or from 0 where a 0
            occurs, so that a class that never occurs moves no other.
        path: Of the table, for messages.

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
        names, ids = _of_numbers(labels, classes)
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


def _of_numbers(labels: Sequence[str], classes: Sequence[str] | None) -> tuple[Sequence[str], dict[str, int]]:
    numbers = sorted({int(label) for label in labels})
    if classes is None:
        return [str(number) for number in numbers], {label: numbers.index(int(label)) + 1 for label in labels}
    first = min(1, numbers[0])
    return classes, {label: int(label) - first + 1 for label in labels}
