"""The source `image_folder`: a folder of class folders of image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError, did_you_mean, one_of
from seqtrain.registry import sources
from seqtrain.sources.class_labels import check_distinct
from seqtrain.sources.file_listing import files_and_folders
from seqtrain.sources.image_files import ImageFiles, images_below
from seqtrain.sources.packed_paths import PackedPaths

_NO_IMAGE = "add images of the class, remove the folder, or list the folders to use in `classes`"


@sources.register("image_folder")
class ImageFolderSource(ImageFiles):
    """Image files in one folder per class; the folders' names are the classes.

    Files are found at any depth below their class folder, by the extensions that Pillow can open. Hidden files and
    folders, and files of other extensions, are skipped.

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
        self.classes = tuple(found if classes is None else _selected(classes, found, path))
        paths: list[str] = []
        counts: list[int] = []
        for name in self.classes:
            images = images_below(path / name, follow_links=True, fix=_NO_IMAGE)
            paths += (f"{name}/{image}" for image in images)
            counts.append(len(images))
        super().__init__(PackedPaths(str(path), paths))
        self.labels = np.repeat(np.arange(len(counts), dtype=np.int64), counts)

    def column(self, name: str) -> npt.NDArray[np.int64]:
        """The classes, for a split by group that holds out whole classes.

        Raises:
            ConfigError: when another column is asked for.
        """
        if name != "class":
            raise ConfigError(f"an image folder is grouped by class, not by '{name}'", fix="set `column: class`")
        return self.labels


def _class_folders(path: Path) -> list[str]:
    fix = "for a table of paths and labels use the source `image_manifest`"
    files, folders = files_and_folders(path, "a folder with one folder of images for each class", fix)
    if not folders:
        raise DataError(
            "there are no class folders",
            where=path,
            expected="one folder of images for each class",
            received=f"{len(files)} files and no folder" if files else "an empty folder",
            fix="put the images of each class into a folder of its own, or use the source `image_manifest`",
        )
    return folders


def _selected(classes: list[str], found: list[str], path: Path) -> list[str]:
    check_distinct(classes)
    for name in classes:
        if name not in found:
            raise DataError(
                f"there is no class folder '{name}'",
                where=path,
                expected=one_of(found),
                fix=did_you_mean(name, found) or "correct `classes`, or add the folder",
            )
    return classes
