"""Lists the files of a folder once for all detectors; no file is opened.

A million files take some seconds. Symbolic links to folders are followed, since data sets are often made of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from seqtrain.errors import DataError
from seqtrain.sources.file_listing import stem_and_extension
from seqtrain.sources.image_files import image_extensions

TRAINING = frozenset({"train", "training", "trainset"})
HELD_OUT = frozenset({"val", "valid", "validation", "valset", "test", "testing", "testset", "dev", "eval"})

_WRITTEN_BY_US = ("runs", "inspect")


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Args:
        root: The folder.
        files: The paths of all files below it, relative to it, sorted.
        written: The folder's path as it is written in the config.
    """

    root: Path
    files: tuple[str, ...]
    written: str = "."

    def path(self, file: str) -> str:
        """The path of a file or folder as it is written in the config."""
        return os.path.normpath(os.path.join(self.written, file))  # noqa: PTH118 - Path has no normpath

    def with_extension(self, *extensions: str) -> list[str]:
        """The files with one of these extensions, which must be in lower case."""
        return [file for extension in extensions for file in self._by_extension.get(extension, [])]

    @cached_property
    def images(self) -> list[str]:
        """The image files."""
        return sorted(self.with_extension(*image_extensions()))

    @cached_property
    def _by_extension(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for file in self.files:
            found.setdefault(stem_and_extension(file)[1], []).append(file)
        return found

    @cached_property
    def folders_of_images(self) -> dict[str, list[str]]:
        """The image files of each folder; the root is "."."""
        return by_folder(self.images)

    def root_of(self, paths: Sequence[str], beside: str) -> tuple[str, int]:
        """The folder below which most of these paths exist, and how many do.

        Args:
            paths: Relative paths of images.
            beside: The file that lists them, whose folder is preferred.
        """
        folders = [str(PurePosixPath(beside).parent), ".", *self.folders_of_images]
        folders += [str(parent) for folder in self.folders_of_images for parent in PurePosixPath(folder).parents]
        num_found = {
            folder: sum(Path(self.root, folder, path).is_file() for path in paths) for folder in dict.fromkeys(folders)
        }
        best = max(num_found, key=lambda folder: num_found[folder])
        return best, num_found[best]


def by_folder(files: Sequence[str]) -> dict[str, list[str]]:
    """The files of each folder."""
    found: dict[str, list[str]] = {}
    for file in files:
        found.setdefault(os.path.dirname(file) or ".", []).append(file)  # noqa: PTH120 - a Path for each is slow
    return found


def listing_of(place: Path, config_folder: Path) -> Listing:
    """Lists a folder; a single file is listed as the only one of its folder.

    Args:
        place: The folder or file.
        config_folder: The folder of the new config, to which its paths are relative.

    Raises:
        DataError: when the folder does not exist or is empty.
    """
    root = place.parent if place.is_file() else place
    written = str(root) if root.is_absolute() else os.path.relpath(root, config_folder)
    if place.is_file():
        return Listing(root, (place.name,), written)
    if not place.is_dir():
        raise DataError("no such folder", where=place, expected="the folder of the data", fix="check the path")
    files = tuple(_files_below(place))
    if not files:
        raise DataError("the folder is empty", where=place, fix="name the folder of the data")
    return Listing(root, files, written)


def evenly(items: Sequence[str], number: int) -> list[str]:
    """At most `number` items, evenly spaced."""
    return [items[index * len(items) // number] for index in range(number)] if len(items) > number else list(items)


def is_held_out(path: str) -> bool:
    """Whether the name of a folder or file says that it is for validation or test."""
    return not HELD_OUT.isdisjoint(_words(path))


def is_training(path: str) -> bool:
    """Whether the name of a folder or file says that it is for training."""
    return not TRAINING.isdisjoint(_words(path))


def _words(path: str) -> list[str]:
    """The words of a path in lower case, without trailing digits: "train" for `train2017`."""
    return [word.rstrip("0123456789") for word in re.split(r"[/_\-. ]", path.lower())]


def _files_below(root: Path) -> list[str]:
    found: list[str] = []
    for parent, folders, files in os.walk(root, followlinks=True):
        here = Path(parent).resolve()
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__"))
            and not (name in _WRITTEN_BY_US and Path(parent) == root)
            and not (Path(parent, name).is_symlink() and here.is_relative_to(Path(parent, name).resolve()))
        )
        prefix = Path(parent).relative_to(root).as_posix()
        start = "" if prefix == "." else f"{prefix}/"
        found += (start + name for name in sorted(files) if not name.startswith("."))
    return found
