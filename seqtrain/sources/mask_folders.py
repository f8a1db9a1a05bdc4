"""The source `mask_folders`: a folder for each image, with one binary mask for each object in it.

Listing reads the names of the files alone. The masks of a sample are decoded when a batch asks for them, and become
one array of class ids in one of several ways, according to what a model is to learn.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, ConfigError, DataError, Mistake
from seqtrain.registry import sources
from seqtrain.sources.base import Paths, Source
from seqtrain.sources.image_folder import image_extensions
from seqtrain.sources.mask_file import Ids, read_ids
from seqtrain.sources.mask_painting import MaskedObject, painted
from seqtrain.sources.mask_source import Mask, count_classes
from seqtrain.sources.matched_files import MaskNames
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.picture_size import picture_size
from seqtrain.sources.run_length import Region, Size
from seqtrain.types import Positive

RowRange = tuple[Region, int, int]  # the pixels of an object in a part of the picture, and that part's top and left
Merge = Literal["union", "border", "touching", "instances"]

_HIGHEST_ID = 255  # of a mask of bytes

log = logging.getLogger("seqtrain")


@sources.register("mask_folders")
class MaskFolders(Source):
    """Images with several masks each, in the layout of the 2018 Data Science Bowl: `<id>/images/`, `<id>/masks/`.

    An object's mask is a picture of two values, of which 0 is outside. The objects of an image are numbered in the
    alphabetical order of their files; a pixel that several cover belongs to the last of them. Where `masks/` is empty,
    all is background.

    Args:
        path: The folder of the images' folders.
        merge: What a pixel of an object becomes. "union": the class `object`. "border": `border` where it lies within
            `border_width` pixels of what is not its object, `inside` elsewhere; a model that learns it tells cells
            apart that touch. "touching": the same, but `border` only where it lies so near another object.
            "instances": the number of its object.
        border_width: How many pixels wide `border` is, for "border" and "touching". Default: 1.

    Raises:
        ConfigError: when `border_width` is set and there is no border.
        DataError: when a folder is missing, an id has no image or several, no image has an object, or one has more than
            there are ids; and when a sample is read, for a mask of another size than its image, or that is not binary.

    Source:
        J. C. Caicedo et al., 2019, Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, for
        the layout; J. C. Caicedo et al., 2019, Evaluation of deep learning strategies for nucleus segmentation in
        fluorescence images, for the border as a class; O. Ronneberger et al., 2015, U-Net, for the borders between
        cells that touch.

    Example:
        source: {name: mask_folders, path: data/stage1_train, merge: border}
    """

    classes: tuple[str, ...]
    mask_names = MaskNames("masks")
    masks_fit = True  # masks of another size than the picture are refused

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
        self._images = PackedPaths(str(path), images)
        self._masks = PackedPaths(str(path), masks)
        self._ends = np.cumsum(counts, dtype=np.int64)
        if empty := counts.count(0):
            first = self._images[counts.index(0)]
            log.warning("mask_folders: images without an object, all background: %d, such as %s", empty, first)
        self._merge = merge
        self._border_width = (border_width or 1) if merge in ("border", "touching") else None
        if merge == "instances" and max(counts) > _HIGHEST_ID:
            most = int(np.argmax(counts))
            raise DataError(
                f"the image has {counts[most]} masks: their numbers do not fit into the ids of a mask",
                where=self._images[most],
                expected=f"at most {_HIGHEST_ID} masks for `merge: instances`",
                fix="set `merge` to union, border or touching, or cut the image up",
            )
        self.classes = _classes(merge, max(counts))

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": self._images[index]}

    @property
    def files(self) -> tuple[Paths, ...]:
        """The images and the masks of their objects."""
        return self._images, self._masks

    def read_mask(self, index: int) -> Mask:
        """The class id of each pixel, (height, width).

        Raises:
            DataError: when a mask cannot be read, has another size than the image, or is not binary.
        """
        size = picture_size(self._images[index])
        parts = self._parts(index, size)
        if self._border_width is not None:
            return _with_borders(parts, size, self._border_width, only_touching=self._merge == "touching")
        by_number = self._merge == "instances"
        numbered = (MaskedObject(n if by_number else 1, *part) for n, part in enumerate(parts, start=1))
        return painted(numbered, size)[0]

    def overlaps(self, index: int) -> int:
        """How often a pixel of one object lies in a later one too."""
        size = picture_size(self._images[index])
        return painted((MaskedObject(1, *part) for part in self._parts(index, size)), size)[1]

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The pixels of each class in the masks of some samples."""
        return count_classes(self, indices)

    def describe(self, index: int) -> str:
        """The image's path."""
        return self._images[index]

    def _parts(self, index: int, size: Size) -> Iterator[RowRange]:
        end = int(self._ends[index])
        for number in range(int(self._ends[index - 1]) if index else 0, end):
            yield _read_part(self._masks[number], size, self._images[index])


def _classes(merge: Merge, most_masks: int) -> tuple[str, ...]:
    if merge == "union":
        return ("background", "object")
    if merge == "instances":
        return ("background", *(f"object {number}" for number in range(1, most_masks + 1)))
    return ("background", "inside", "border")


def _with_borders(parts: Iterable[RowRange], size: Size, width: int, only_touching: bool) -> Mask:
    """Ids 1 inside the objects, and 2 where they end."""
    owner = np.zeros(size, dtype=np.uint16)
    for number, (region, top, left) in enumerate(parts, start=1):
        owner[top : top + region.shape[0], left : left + region.shape[1]][region] = number
    # The lowest and the highest number nearby differ where objects meet; for objects that touch, not counting 0.
    square = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    highest = cv2.dilate(owner, square)
    others = np.where(owner == 0, np.uint16(np.iinfo(np.uint16).max), owner) if only_touching else owner
    lowest = cv2.erode(others, square)
    mask: Mask = np.where(lowest != highest, np.uint8(2), np.uint8(1))
    mask[owner == 0] = 0
    return mask


def _read_part(path: str, size: Size, image: str) -> RowRange:
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
    """Left, top, width and height of what is not 0; no more need be looked at."""
    if values.dtype == np.uint8:
        left, top, width, height = cv2.boundingRect(values)
        return left, top, width, height
    return 0, 0, values.shape[1], values.shape[0]


def _listed(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The image of each folder and its masks, as paths below `path`."""
    mistakes: list[Mistake] = []
    found = False
    for folder in _names(path, folders=True):
        images = _pictures(path, f"{folder}/images")
        masks = _pictures(path, f"{folder}/masks")
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


def _pictures(path: Path, folder: str) -> list[str]:
    extensions = image_extensions()
    names = _names(path / folder) if (path / folder).is_dir() else []
    return [f"{folder}/{name}" for name in names if Path(name).suffix.lower() in extensions]


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not _names(folder)


def _names(folder: Path, folders: bool = False) -> list[str]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise DataError(
            "no such folder" if missing else f"the folder cannot be read: {error.strerror}", where=folder
        ) from error
    return sorted(entry.name for entry in entries if not folders or entry.is_dir())
