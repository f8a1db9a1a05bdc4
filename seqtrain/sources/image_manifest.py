"""The source `image_manifest`: a CSV file that names an image and its label in each row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, DataError, Mistake
from seqtrain.registry import sources
from seqtrain.sources.class_labels import check_finite, class_names
from seqtrain.sources.image_files import ImageFiles
from seqtrain.sources.number_text import is_number
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.table_file import RowPlaces, read_texts

Target = Literal["class", "index", "float"]

_MOST_DIGITS = 18  # of a class index, which must fit into int64


@sources.register("image_manifest")
class ImageManifestSource(ImageFiles):
    """Image files that a table lists, with their labels; its other columns may group them.

    The whole table and the existence of every file are checked at the start, so that no run fails hours later because
    of a missing file.

    Args:
        manifest: A CSV file with a header.
        path_column: The column of the images' paths.
        label_column: The column of the labels.
        root: The folder that paths are relative to. Default: the manifest's folder.
        target: "class" (names, numbered in alphabetical order), "index" (the class indices themselves) or "float" (a
            number to predict). "auto" treats whole numbers as "index", other numbers as "float", and anything else as
            "class".

    Raises:
        DataError: when the table cannot be read, or a row has no usable path or label.

    Example:
        source: {name: image_manifest, manifest: ../data_samples/photos/manifest.csv}
    """

    labels: npt.NDArray[Any]
    classes: tuple[str, ...] | None

    def __init__(
        self,
        manifest: Path,
        path_column: str = "path",
        label_column: str = "label",
        root: Path | None = None,
        target: Literal["auto", "class", "index", "float"] = "auto",
    ) -> None:
        self._manifest = manifest
        table = read_texts(manifest, [path_column, label_column])
        paths, labels, places = table.texts[path_column], table.texts[label_column], table.places
        super().__init__(PackedPaths(str(root or manifest.parent), paths))
        _require(places, paths, bool, "the path is empty", "name an image file")
        _require(places, labels, bool, f"the {label_column} is empty", "label the image, or remove the row")
        self.labels, self.classes = _targets(labels, _kind(labels, places) if target == "auto" else target, places)
        _require(
            places,
            self._paths,
            os.path.isfile,  # noqa: PTH113 - Path takes thrice the time
            "no such image file",
            "correct the path, set `root` to the folder that the paths start from, or remove the row",
        )

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """The values of a column, such as the patient, for a split by group.

        Raises:
            DataError: when there is no such column, or a row leaves it empty.
        """
        table = read_texts(self._manifest, [name])
        _require(table.places, table.texts[name], bool, f"the {name} is empty", "name the group, or remove the row")
        return np.array(table.texts[name])


def _require(
    places: RowPlaces,
    values: Iterable[str],
    holds: Callable[[str], bool],
    message: str,
    fix: str,
    expected: str | None = None,
) -> None:
    """Raises an error with the rows whose value does not meet a condition."""
    wrong = ((row, value) for row, value in enumerate(values) if not holds(value))
    mistakes = [
        Mistake(message, places.of(row), expected, f"'{value}'" if value else None, fix)
        for row, value in islice(wrong, MOST_LISTED)
    ]
    if mistakes:
        raise DataError(mistakes)


def _kind(labels: list[str], places: RowPlaces) -> Target:
    """The kind of the labels, decided from all of them together."""
    _require(
        places,
        labels,
        lambda label: label.lower() != "nan",
        "the label is NaN",
        "label the image, or remove the row; where NaN is the name of a class, set `target: class`",
    )
    if not all(map(is_number, labels)):
        return "class"
    if not all(map(str.isdecimal, labels)):
        return "float"
    largest = max(range(len(labels)), key=lambda row: int(labels[row]))
    if int(labels[largest]) >= len(labels):
        raise DataError(
            f"the label {labels[largest]} can hardly be the index of a class: there are {len(labels)} rows",
            where=places.of(largest),
            fix="set `target` to class, index or float",
        )
    return "index"


def _targets(labels: list[str], kind: Target, places: RowPlaces) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
    if kind == "class":
        classes = sorted(set(labels))
        number = {name: index for index, name in enumerate(classes)}
        return np.array([number[label] for label in labels], dtype=np.int64), tuple(classes)
    if kind == "index":
        _require(
            places,
            labels,
            lambda label: label.isdecimal() and len(label) <= _MOST_DIGITS,
            "the label is no class index",
            "correct the label, or set `target` to class or float",
            "a whole number from 0",
        )
        indices = np.array([int(label) for label in labels], dtype=np.int64)
        return indices, class_names(indices, None, places.of)
    _require(
        places,
        labels,
        is_number,
        "the label is no number to predict",
        "correct the label, remove the row, or set `target: class`",
        "a number",
    )
    targets = np.array([float(label) for label in labels], dtype=np.float64)
    check_finite(targets, places.of)
    return targets, None
