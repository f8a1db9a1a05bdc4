"""The source `coco_masks`: images, and a JSON file in COCO's form that outlines the objects in them.

The file is parsed once, annotation by annotation; of each are kept where it stands and its class, 13 bytes in all.
Outlines are read again, and become a mask, when a batch asks for their image.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_TOLD, ConfigError, DataError, Mistake, did_you_mean, one_of
from seqtrain.registry import sources
from seqtrain.sources.base import Paths, Source
from seqtrain.sources.coco_listing import CocoListing
from seqtrain.sources.coco_outline import Outline, OutlineError, outline, outlined
from seqtrain.sources.json_places import read_item
from seqtrain.sources.mask_painting import painted
from seqtrain.sources.mask_source import Mask, count_classes
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.picture_size import picture_size
from seqtrain.sources.run_length import Size

_HIGHEST_ID = 255  # of a mask of bytes

log = logging.getLogger("seqtrain")


@sources.register("coco_masks")
class CocoMasks(Source):
    """Images whose objects a JSON file like COCO's `instances_*.json` outlines, as polygons or run-length codes.

    The classes are the categories in the order of their ids, numbered from 1 without gaps; 0 is the background. Where
    objects overlap, larger ones are painted first, so that smaller ones stay visible. An image without annotations is
    all background.

    Args:
        path: The JSON file.
        images: The folder that the file's `file_name`s start from.
        classes: The names of the categories to use, in the order of their ids from 1; the others are background.
            Default: all.
        crowd: Whether to "use" or to "skip" regions that are marked `iscrowd`, which hold many objects of one class.
        unmatched: What to do with images of the file that are not in the folder: "error", or "skip" them.

    Raises:
        ConfigError: when `classes` is empty or names a category twice.
        DataError: when the file is no such JSON, names an image or a category that it does not list, or an image file
            is missing; and when a sample is read, for an outline that is none, named by its annotation's id.

    Source:
        T.-Y. Lin et al., 2014, Microsoft COCO: Common Objects in Context; cocodataset.org/#format-data

    Example:
        source: {name: coco_masks, path: data/annotations/instances_val2017.json, images: data/val2017}
    """

    classes: tuple[str, ...]
    masks_fit = True  # outlines are decoded to the size of the picture

    def __init__(
        self,
        path: Path,
        images: Path,
        classes: list[str] | None = None,
        crowd: Literal["use", "skip"] = "use",
        unmatched: Literal["error", "skip"] = "error",
    ) -> None:
        self._path = path
        listing = CocoListing(path)
        names = [listing.categories[category] for category in sorted(listing.categories)]
        chosen = _chosen(names, classes, path)
        self.classes = ("background", *chosen)
        kept = _present(listing.images, images, path, skip=unmatched == "skip")
        self._paths = PackedPaths(str(images), [listing.images[number][0] for number in kept])
        self._sizes = np.array([listing.images[number][1] for number in kept], dtype=np.int32)
        sample = {number: position for position, number in enumerate(kept)}
        class_id = {category: chosen.index(name) + 1 for category, name in listing.categories.items() if name in chosen}
        self._keep(listing.rows(sample, class_id, with_crowds=crowd == "use"))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": self._paths[index]}

    @property
    def files(self) -> tuple[Paths, ...]:
        """The images."""
        return (self._paths,)

    def read_mask(self, index: int) -> Mask:
        """The class id of each pixel, (height, width).

        Raises:
            DataError: when an annotation's outline is none, or the image has another size than the file says.
        """
        return self._painted(index)[0]

    def overlaps(self, index: int) -> int:
        """How often a pixel of one object lies in a smaller one too."""
        return self._painted(index)[1]

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The pixels of each class in the masks of some samples."""
        return count_classes(self, indices)

    def describe(self, index: int) -> str:
        """The image's path."""
        return self._paths[index]

    def _keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Keeps where the annotations stand, by sample.

        Args:
            rows: Sample, class id, first byte and number of bytes of each annotation.
        """
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        self._ends = np.cumsum(np.bincount(rows[:, 0], minlength=len(self)))
        self._class_ids = rows[:, 1].astype(np.uint8)
        self._starts = rows[:, 2].astype(np.uint64)
        self._lengths = rows[:, 3].astype(np.uint32)

    def _painted(self, index: int) -> tuple[Mask, int]:
        size = self._size(index)
        start, end = int(self._ends[index - 1]) if index else 0, int(self._ends[index])
        outlines = [self._outline(number, size) for number in range(start, end)]
        objects = outlined(outlines, self._class_ids[start:end].tolist(), size)
        objects.sort(key=lambda item: -int(np.count_nonzero(item.region)))
        return painted(objects, size, down_columns=True)

    def _size(self, index: int) -> Size:
        size = picture_size(self._paths[index])
        said = tuple(self._sizes[index].tolist())
        if said != size:
            raise DataError(
                f"the image {self._paths[index]} has another size than its entry says",
                where=self._path,
                expected=f"{size}, height and width of the file",
                received=f"{said}",
                fix="use the images that were annotated, not scaled copies",
            )
        return size

    def _outline(self, number: int, size: Size) -> Outline:
        annotation = read_item(self._path, int(self._starts[number]), int(self._lengths[number]))
        try:
            return outline(annotation.get("segmentation"), size)
        except OutlineError as error:
            raise DataError(
                f"annotation {annotation['id']}: {error}",
                where=self._path,
                expected=error.expected,
                fix="mend the annotation, or remove it",
            ) from error


def _chosen(names: list[str], classes: list[str] | None, path: Path) -> list[str]:
    if classes is not None and (not classes or len(set(classes)) < len(classes)):
        raise ConfigError("classes: name every category once, and at least one", fix="or leave classes out")
    for name in classes or []:
        if name not in names:
            raise DataError(
                f"there is no category '{name}'", where=path, expected=one_of(names), fix=did_you_mean(name, names)
            )
    chosen = classes or names
    if not 1 <= len(chosen) <= _HIGHEST_ID:
        raise DataError(
            f"the file lists {len(chosen)} categories",
            where=path,
            expected=f"1 to {_HIGHEST_ID}, which a mask of bytes can tell apart",
            fix="name those to use in `classes`",
        )
    return chosen


def _present(images: dict[Any, tuple[str, Size]], folder: Path, path: Path, skip: bool) -> list[Any]:
    """The ids of the images whose files are there, in the order of the file."""
    missing = {number: folder / name for number, (name, _) in images.items() if not (folder / name).is_file()}
    if len(missing) == len(images) or (missing and not skip):
        fix = "correct `images`, the folder that the names start from; or fetch the files, or set `unmatched: skip`"
        files = list(missing.values())
        told = [Mistake(f"there is no file {file}", str(path), fix=fix) for file in files[:MOST_TOLD]]
        rest = [Mistake(f"and {len(files) - MOST_TOLD} more")] * (len(files) > MOST_TOLD)
        raise DataError([*told, *rest] or [Mistake("the file lists no images", str(path))])
    if missing:
        log.warning("coco_masks: %d images have no file and are left out", len(missing))
    return [number for number in images if number not in missing]
