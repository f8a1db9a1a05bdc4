"""The source `mask_folders`: a folder for each image, with one binary mask for each object in it.

The constructor reads the names of the files only. The masks of a sample are decoded when a batch asks for them, and
merged into one array of class ids in one of several ways.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from seqtrain.errors import MOST_LISTED, ConfigError, DataError, Mistake
from seqtrain.registry import sources
from seqtrain.sources.base import Paths
from seqtrain.sources.file_listing import MaskNames, files_and_folders
from seqtrain.sources.image_files import image_extensions
from seqtrain.sources.mask_file import Ids, read_ids
from seqtrain.sources.mask_source import HIGHEST_ID, Mask
from seqtrain.sources.object_masks import MaskedObject, ObjectMasks, with_borders
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.run_length import Region, Size
from seqtrain.types import Positive

Merge = Literal["union", "border", "touching", "instances"]

log = logging.getLogger("seqtrain")


@sources.register("mask_folders")
class MaskFolders(ObjectMasks):
    """Images with several masks each, in the layout of the 2018 Data Science Bowl: `<id>/images/`, `<id>/masks/`.

    An object's mask is an image with two values, of which 0 is outside. The objects of an image are numbered in the
    alphabetical order of their files; a pixel that several objects cover belongs to the last one. If `masks/` is empty,
    the whole image is background.

    Args:
        path: The folder of the images' folders.
        merge: The class of an object's pixels. "union": `object`. "border": `border` within `border_width` pixels of
            the object's edge, otherwise `inside`, so that a model learns to separate touching cells. "touching": the
            same, but `border` only next to another object. "instances": the object's number.
        border_width: The width of `border` in pixels, for "border" and "touching". Default: 1.

    Raises:
        ConfigError: when `border_width` is set and there is no border.
        DataError: when a folder is missing, an id has no image or several, no image has an object, or one has more
            objects than there are ids; and when a mask is read that has another size than its image, or is not binary.

    Source:
        J. C. Caicedo et al., 2019, Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, for
        the layout; J. C. Caicedo et al., 2019, Evaluation of deep learning strategies for nucleus segmentation in
        fluorescence images, for the border as a class; O. Ronneberger et al., 2015, U-Net, for the borders between
        cells that touch.

    Example:
        source: {name: mask_folders, path: data/stage1_train, merge: border}
    """

    mask_names = MaskNames("masks")
    _column_major = False

    def __init__(self, path: Path, merge: Merge = "union", border_width: Positive | None = None) -> None:
        if border_width and merge not in ("border", "touching"):
            raise ConfigError(
                f"border_width: `merge: {merge}` has no border",
                fix="leave it out, or set `merge` to border or touching",
            )
        images: list[str] = []
        masks: list[str] = []
        counts: list[int] = []
        for image, its_masks in _listed(path):
            images.append(image)
            masks += its_masks
            counts.append(len(its_masks))
        super().__init__(PackedPaths(str(path), images), np.repeat(np.arange(len(images)), counts))
        self._masks = PackedPaths(str(path), masks)
        if empty := counts.count(0):
            first = self._paths[counts.index(0)]
            log.warning("mask_folders: images without an object, all background: %d, such as %s", empty, first)
        self._merge = merge
        self._border_width = (border_width or 1) if merge in ("border", "touching") else None
        self._dtype = np.uint8 if self._border_width is None else np.uint16  # holds objects' numbers before borders
        if merge == "instances" and max(counts) > HIGHEST_ID:
            most = int(np.argmax(counts))
            raise DataError(
                f"the image has {counts[most]} masks: their numbers do not fit into the ids of a mask",
                where=self._paths[most],
                expected=f"at most {HIGHEST_ID} masks for `merge: instances`",
                fix="set `merge` to union, border or touching, or cut the image up",
            )
        self.classes = _classes(merge, max(counts))

    @property
    def files(self) -> tuple[Paths, ...]:
        """The images and the masks of their objects."""
        return self._paths, self._masks

    def _paint(self, index: int) -> tuple[Mask, int]:
        mask, overlaps = super()._paint(index)
        if self._border_width is None:
            return mask, overlaps
        return with_borders(mask, self._border_width, only_touching=self._merge == "touching"), overlaps

    def _objects(self, index: int, numbers: range, size: Size) -> Iterator[MaskedObject]:
        """The objects of an image, in the order of their files."""
        image = self._paths[index]
        for count, number in enumerate(numbers, start=1):
            region, top, left = _read_part(self._masks[number], size, image)
            yield MaskedObject(1 if self._merge == "union" else count, region, top, left)


def _classes(merge: Merge, most_masks: int) -> tuple[str, ...]:
    if merge == "union":
        return ("background", "object")
    if merge == "instances":
        return ("background", *(f"object {number}" for number in range(1, most_masks + 1)))
    return ("background", "inside", "border")


def _read_part(path: str, size: Size, image: str) -> tuple[Region, int, int]:
    """The pixels of an object in a part of the image, and that part's top and left edge."""
    values = read_ids(path)
    if values.shape != size:
        raise DataError(
            "the mask has another size than its image",
            where=path,
            expected=f"{size}, height and width of {image}",
            received=f"{values.shape}",
            fix="export the mask anew in the size of the image",
        )
    left, top, width, height = _box(values)
    part = values[top : top + height, left : left + width]
    region: Region = part != 0
    if region.any() and not np.array_equal(region, part == part.max()):
        found = np.unique(values)
        raise DataError(
            "the mask is not binary",
            where=path,
            expected="0 outside the object and one other value inside, such as 255",
            received=f"{len(found)} values: {', '.join(map(str, found[:5]))}{', ...' if len(found) > 5 else ''}",
            fix="save it without smoothing and without loss, as PNG; for one mask of class ids use `image_mask`",
        )
    return region, top, left


def _box(values: Ids) -> tuple[int, int, int, int]:
    """Left, top, width and height of a part that holds all pixels that are not 0."""
    if values.dtype == np.uint8:
        left, top, width, height = cv2.boundingRect(values)
        return left, top, width, height
    return 0, 0, values.shape[1], values.shape[0]


def _listed(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The image of each folder and its masks, as paths below `path`."""
    mistakes: list[Mistake] = []
    found = False
    for folder in files_and_folders(path)[1]:
        images = _image_files(path, f"{folder}/images")
        masks = _image_files(path, f"{folder}/masks")
        if len(images) != 1:
            received = f"{len(images)} images" if images else "no image"
            fix = "give each image a folder of its own, named by its id"
            mistakes.append(Mistake("one image is needed", str(path / folder / "images"), None, received, fix))
        elif not masks and not _is_empty(path / folder / "masks"):
            fix = "add the masks of its objects, or an empty folder where there are none; or move the folder away"
            mistakes.append(Mistake("the image has no masks", str(path / folder / "masks"), fix=fix))
        else:
            found = found or bool(masks)
            yield images[0], masks
        if len(mistakes) == MOST_LISTED:
            break
    if mistakes:
        raise DataError(mistakes)
    if not found:
        raise DataError(
            "there are no folders of images with masks",
            where=path,
            expected="<id>/images/ and <id>/masks/ for each image",
        )


def _image_files(path: Path, folder: str) -> list[str]:
    names = files_and_folders(path / folder)[0] if (path / folder).is_dir() else []
    return [f"{folder}/{name}" for name in names if Path(name).suffix.lower() in image_extensions()]


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(files_and_folders(folder))
