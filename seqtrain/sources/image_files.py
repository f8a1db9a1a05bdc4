"""Image files: lists those in a folder, finds them by id, and the base of sources of image files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.sources.base import Source
from seqtrain.sources.file_listing import files_below, stem_and_extension
from seqtrain.sources.packed_paths import PackedPaths

# Formats that Pillow identifies but cannot decode without an additional program or handler.
_NAMED_ONLY = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
_MOST_TOLD = 5


class ImageFiles(Source):
    """A source whose samples are image files, with or without a label each.

    Args:
        paths: The paths of the files.
    """

    def __init__(self, paths: PackedPaths) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        labels = self.labels
        if labels is None:
            return {"path": self._paths[index]}
        return {"path": self._paths[index], "label": labels[index].item()}

    def describe(self, index: int) -> str:
        """The image's path."""
        return self._paths[index]

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[Any, Any]:
        """The paths and the labels of some samples."""
        paths = [self._paths[index] for index in indices.tolist()]
        return paths, None if self.labels is None else self.labels[indices]


class ImagesById:
    """Finds image files by the ids that tables give them: names or paths, with or without extension.

    Args:
        folder: The folder of the files, which may be at any depth.
        pattern: A shell pattern that their paths below the folder match.

    Raises:
        DataError: when the folder is missing or holds no such image.
    """

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder = folder
        self._files = images_below(folder, pattern, fix="correct `images` or `pattern`")
        self._by_id: dict[str, str] = {}
        self._ambiguous: dict[str, list[str]] = {}
        for file in self._files:
            stem = stem_and_extension(file)[0]
            for name in {file, stem, file.rpartition("/")[2], stem.rpartition("/")[2]}:
                first = self._by_id.setdefault(name, file)
                if first is not file:
                    self._ambiguous.setdefault(name, [first]).append(file)

    def find(self, name: str) -> str | None:
        """The path, below the folder, of the image with an id; None if there is none.

        Raises:
            DataError: when several images have the id.
        """
        if name in self._ambiguous:
            raise DataError(
                f"the id '{name}' means several images",
                where=self.folder,
                received=", ".join(self._ambiguous[name][:_MOST_TOLD]),
                fix="use paths below the folder as ids, or set `pattern` to what the right ones have in common",
            )
        return self._by_id.get(name)

    def unused(self, used: Iterable[str]) -> list[str]:
        """The images that are not among the used ones."""
        without = set(used)
        return [file for file in self._files if file not in without]


@cache
def image_extensions() -> frozenset[str]:
    """The extensions of the formats that Pillow can decode, in lower case."""
    formats = Image.registered_extensions()
    return frozenset(extension for extension, name in formats.items() if name in Image.OPEN and name not in _NAMED_ONLY)


def images_below(
    folder: Path, pattern: str = "*", follow_links: bool = False, fix: str = "correct the path, or add images"
) -> list[str]:
    """The paths of a folder's image files, at any depth, in alphabetical order.

    Args:
        folder: The folder, to which the paths are relative.
        pattern: A shell pattern that the paths match.
        follow_links: See `files_below`.
        fix: What to do if there is no image, for messages.

    Raises:
        DataError: when the folder is missing, cannot be read, or holds no such image.
    """
    images: list[str] = []
    unused: Counter[str] = Counter()
    extensions = image_extensions()
    for file in files_below(folder, follow_links):
        extension = stem_and_extension(file)[1]
        if extension in extensions and (pattern == "*" or fnmatch(file, pattern)):
            images.append(file)
        else:
            unused[extension or "no extension"] += 1
    if not images:
        counts = ", ".join(f"{count} of {extension}" for extension, count in unused.most_common(_MOST_TOLD))
        raise DataError(
            "the folder holds no image" + ("" if pattern == "*" else f" that matches '{pattern}'"),
            where=folder,
            expected="files with an extension that Pillow can open, such as .jpg or .png",
            received=f"other files: {counts}" if unused else "no files",
            fix=fix,
        )
    return sorted(images)
