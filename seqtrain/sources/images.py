"""The source `images`: image files without labels, for models that learn from images alone."""

from __future__ import annotations

from pathlib import Path

from seqtrain.registry import sources
from seqtrain.sources.image_files import ImageFiles, images_below
from seqtrain.sources.packed_paths import PackedPaths


@sources.register("images")
class ImagesSource(ImageFiles):
    """Every image file of a folder, at any depth.

    Files are found by the extensions that Pillow can open, and come in alphabetical order. Hidden files and folders,
    and files of other extensions, are skipped. If the folders are classes, use `image_folder`.

    Args:
        path: The folder.

    Raises:
        DataError: when the folder is missing, cannot be read, or holds no image.

    Example:
        source: {name: images, path: ../data_samples/digits}
    """

    def __init__(self, path: Path) -> None:
        super().__init__(PackedPaths(str(path), images_below(path)))
