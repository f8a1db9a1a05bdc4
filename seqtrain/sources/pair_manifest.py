"""The source `pair_manifest`: a CSV file with two images in each row, and whether they belong together.

An image is often in several pairs. So that no image is on both sides of a split, training pairs that share an image
with a validation pair are left out. A split by group leaves out none, if the pairs form groups without common images.
"""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, DataError, Mistake
from seqtrain.registry import sources
from seqtrain.sources.base import Paths, Source
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.table_file import read_texts

_LABELS = {"0": 0, "1": 1, "different": 0, "same": 1}
_log = logging.getLogger("seqtrain")


@sources.register("pair_manifest")
class PairManifestSource(Source):
    """Pairs of image files that a table lists, with the label 1 or `same`, or 0 or `different`.

    The whole table and the existence of every file are checked at the start.

    Args:
        manifest: A CSV file with a header.
        path_a_column: The column of the first images' paths.
        path_b_column: The column of the second images' paths.
        label_column: The column of the labels.
        root: The folder that paths are relative to. Default: the manifest's folder.

    Raises:
        DataError: when the table cannot be read, or a row lacks an image or has another label.

    Example:
        source: {name: pair_manifest, manifest: ../data_samples/glyphs/pairs.csv}
    """

    labels: npt.NDArray[np.int64]
    classes = ("different", "same")

    def __init__(
        self,
        manifest: Path,
        path_a_column: str = "path_a",
        path_b_column: str = "path_b",
        label_column: str = "label",
        root: Path | None = None,
    ) -> None:
        self._manifest = manifest
        table = read_texts(manifest, [path_a_column, path_b_column, label_column])
        first, second, labels = (table.texts[name] for name in (path_a_column, path_b_column, label_column))
        self._places = table.places
        names = sorted({*first, *second})
        number = {name: place for place, name in enumerate(names)}
        self._images = np.array([[number[name] for name in column] for column in (first, second)], dtype=np.uint32).T
        self._paths = PackedPaths(str(root or manifest.parent), names)
        self._check([label.lower() for label in labels])
        self.labels = np.array([_LABELS[label.lower()] for label in labels], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        first, second = self._images[index].tolist()
        return {"path_a": self._paths[first], "path_b": self._paths[second], "label": int(self.labels[index])}

    @cached_property
    def groups(self) -> npt.NDArray[np.int64]:
        """The group of each pair; pairs that share an image, directly or through other pairs, are in one group."""
        return connected(self._images)

    @property
    def files(self) -> tuple[Paths, ...]:
        """The images of all pairs."""
        return (self._paths,)

    def describe(self, index: int) -> str:
        """The manifest and the row's line."""
        return self._places.of(index)

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """The values of a column, such as the person, for a split by group.

        Raises:
            DataError: when there is no such column.
        """
        return np.array(read_texts(self._manifest, [name]).texts[name])

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The training pairs without those that share an image with a validation pair; logs their number."""
        is_separate = ~np.isin(self._images[train], self._images[val]).any(axis=1)
        if not is_separate.all():
            _log.warning(
                "%d of %d training pairs share an image with a validation pair and are left out%s",
                np.count_nonzero(~is_separate),
                len(train),
                "; `split: {by: group}` keeps pairs with a common image on one side" if self.groups.any() else "",
            )
        return train[is_separate]

    def _check(self, labels: list[str]) -> None:
        """Checks that each row has two image files and a valid label."""
        exist = np.array([os.path.isfile(path) for path in self._paths])  # noqa: PTH113 - Path takes thrice the time
        are_known = np.array([label in _LABELS for label in labels])
        mistakes: list[Mistake] = []
        for row in np.flatnonzero(~(exist[self._images].all(axis=1) & are_known))[:MOST_LISTED].tolist():
            where = self.describe(row)
            mistakes += [_no_image(self._paths[each], where) for each in self._images[row].tolist() if not exist[each]]
            if not are_known[row]:
                fix = "correct the label, or name the right column in `label_column`"
                mistakes.append(Mistake("the label says neither", where, "0, 1, different or same", labels[row], fix))
        if mistakes:
            raise DataError(mistakes[:MOST_LISTED])


def connected(pairs: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The connected component of each pair, as the least number in it.

    Example:
        connected(np.array([[0, 3], [1, 2], [4, 3]]))  # [0, 1, 0]
    """
    least: npt.NDArray[np.int64] = np.arange(int(pairs.max()) + 1)
    while True:
        first: npt.NDArray[np.int64] = least[pairs[:, 0]]
        second = least[pairs[:, 1]]
        if np.array_equal(first, second):
            return first
        smaller = np.minimum(first, second)
        np.minimum.at(least, first, smaller)
        np.minimum.at(least, second, smaller)
        while not np.array_equal(least, least[least]):
            least = least[least]


def _no_image(path: str, where: str) -> Mistake:
    if Path(path).is_dir():  # the path of an empty cell is the folder
        return Mistake("the path names no file", where, None, f"'{path}'", "name an image file")
    return Mistake(
        "no such image file",
        where,
        None,
        f"'{path}'",
        "correct the path, set `root` to the folder that the paths start from, or remove the row",
    )
