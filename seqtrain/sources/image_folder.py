"""The source `image_folder`: a folder of class folders of image files.

Listing costs one `scandir` a folder and no `stat` of a file, so that a million files are listed in seconds; they are
kept packed, and no file is opened until its sample is asked for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.errors import ConfigError, DataError, did_you_mean, one_of
from seqtrain.registry import sources
from seqtrain.sources.base import Source
from seqtrain.sources.packed_paths import PackedPaths

# Formats that Pillow knows by name and cannot decode without a program or a handler that it does not bring.
_NAMED_ONLY = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})


@sources.register("image_folder")
class ImageFolderSource(Source):
    """Image files in one folder for each class; the folders' names are the classes.

    Files are found at any depth below their class folder, by the extensions that Pillow can open. Hidden files and
    folders, and files of other extensions, are passed over.

    Args:
        path: The folder of the class folders.
        classes: The class folders to use, in the order of their class indices. Default: all, in alphabetical order.

    Raises:
        ConfigError: when `classes` is empty or names a class twice.
        DataError: when the folder or a class folder is missing, cannot be read, or holds no image.

    Example:
        source: {name: image_folder, path: ../data_samples/digits}
    """

    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __init__(self, path: Path, classes: list[str] | None = None) -> None:
        found = _class_folders(path)
        self.classes = tuple(found if classes is None else _chosen(classes, found, path))
        paths: list[str] = []
        counts: list[int] = []
        for name in self.classes:
            images = sorted(_images_below(path / name))
            paths += (f"{name}/{image}" for image in images)
            counts.append(len(images))
        self._paths = PackedPaths(str(path), paths)
        self.labels = np.repeat(np.arange(len(counts), dtype=np.int64), counts)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": self._paths[index], "label": int(self.labels[index])}

    def describe(self, index: int) -> str:
        """The sample's path."""
        return self._paths[index]

    def column(self, name: str) -> npt.NDArray[np.int64]:
        """The classes, for a split by group that holds out whole classes.

        Raises:
            ConfigError: when it is another column.
        """
        if name != "class":
            raise ConfigError(f"an image folder is grouped by class, not by '{name}'", fix="set `column: class`")
        return self.labels

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[list[str], npt.NDArray[np.int64]]:
        """The paths and the class indices of some samples."""
        return [self._paths[index] for index in indices.tolist()], self.labels[indices]


@cache
def image_extensions() -> frozenset[str]:
    """The extensions of the formats that Pillow can decode, in lower case."""
    formats = Image.registered_extensions()
    return frozenset(extension for extension, name in formats.items() if name in Image.OPEN and name not in _NAMED_ONLY)


def _class_folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            folders = sorted(entry.name for entry in visible if entry.is_dir())
    except FileNotFoundError as error:
        raise DataError(
            "no such folder", where=path, expected="a folder with one folder of images for each class"
        ) from error
    except NotADirectoryError as error:
        raise DataError(
            "not a folder",
            where=path,
            expected="a folder with one folder of images for each class",
            fix="for a table of paths and labels use the source `image_manifest`",
        ) from error
    except OSError as error:
        raise DataError(f"the folder cannot be read: {error.strerror}", where=path) from error
    if not folders:
        raise DataError(
            "there are no class folders",
            where=path,
            expected="one folder of images for each class",
            received=f"{len(visible)} files and no folder" if visible else "an empty folder",
            fix="put the images of each class into a folder of its own, or use the source `image_manifest`",
        )
    return folders


def _chosen(classes: list[str], found: list[str], path: Path) -> list[str]:
    if not classes:
        raise ConfigError("classes: the list is empty", fix="name the class folders to use, or leave classes out")
    repeated = [name for name, count in Counter(classes).items() if count > 1]
    if repeated:
        raise ConfigError(f"classes: '{repeated[0]}' is named twice", fix="name every class once")
    for name in classes:
        if name not in found:
            raise DataError(
                f"there is no class folder '{name}'",
                where=path,
                expected=one_of(found),
                fix=did_you_mean(name, found) or "correct `classes`, or add the folder",
            )
    return classes


def _images_below(folder: Path) -> list[str]:
    images: list[str] = []
    others: Counter[str] = Counter()
    for file in _files_below(str(folder), ""):
        extension = os.path.splitext(file)[1].lower()  # noqa: PTH122 - a Path for each of a million files is slow
        if extension in image_extensions():
            images.append(file)
        else:
            others[extension or "no extension"] += 1
    if not images:
        passed_over = ", ".join(f"{count} of {extension}" for extension, count in others.most_common(5))
        raise DataError(
            f"the class folder '{folder.name}' has no image",
            where=folder,
            expected="files with an extension that Pillow can open, such as .jpg or .png",
            received=f"other files: {passed_over}" if others else "no files",
            fix="add images of the class, remove the folder, or list the folders to use in `classes`",
        )
    return images


def _files_below(folder: str, prefix: str) -> Iterator[str]:
    """The files at any depth, relative to the folder that the search began with."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    yield prefix + entry.name
                elif not _leads_back(entry, folder):
                    yield from _files_below(entry.path, f"{prefix}{entry.name}/")
    except OSError as error:
        raise DataError(f"the folder cannot be read: {error.strerror}", where=folder) from error


def _leads_back(entry: os.DirEntry[str], folder: str) -> bool:
    """Whether a folder is a link to one that it lies in, which would be searched for ever."""
    return entry.is_symlink() and Path(folder).resolve().is_relative_to(Path(entry.path).resolve())
