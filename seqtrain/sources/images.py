"""The source `images`: image files without labels, for models that learn from the pictures alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from seqtrain.errors import DataError
from seqtrain.registry import sources
from seqtrain.sources.base import Source
from seqtrain.sources.image_folder import image_extensions
from seqtrain.sources.matched_files import files_below, stem_and_extension
from seqtrain.sources.packed_paths import PackedPaths

_MOST_TOLD = 5


@sources.register("images")
class ImagesSource(Source):
    """Every image file of a folder, at any depth.

    Files are found by the extensions that Pillow can open, and come in alphabetical order. Hidden files and folders,
    and files of other extensions, are passed over. Where folders are classes, use `image_folder`.

    Args:
        path: The folder.

    Raises:
        DataError: when the folder is missing, cannot be read, or holds no image.

    Example:
        source: {name: images, path: ../data_samples/digits}
    """

    def __init__(self, path: Path) -> None:
        self._paths = PackedPaths(str(path), images_below(path))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": self._paths[index]}

    def describe(self, index: int) -> str:
        """The sample's path."""
        return self._paths[index]


def images_below(path: Path) -> list[str]:
    """The paths of all image files below a folder, in alphabetical order.

    Raises:
        DataError: see `ImagesSource`.
    """
    files = files_below(path)
    images = [file for file in files if stem_and_extension(file)[1] in image_extensions()]
    if not images:
        raise _without_images(path, files)
    return sorted(images)


def _without_images(path: Path, files: list[str]) -> DataError:
    others = Counter(stem_and_extension(file)[1] or "no extension" for file in files).most_common(_MOST_TOLD)
    return DataError(
        "there are no images in the folder",
        where=path,
        expected="files with an extension that Pillow can open, such as .jpg or .png",
        received=f"other files: {', '.join(f'{count} of {name}' for name, count in others)}" if others else "no files",
        fix="correct the path, or add images",
    )
