"""The source `coco_masks`: images, and a JSON file in COCO's format that outlines the objects in them.

The file is parsed once, annotation by annotation; only the position and the class of each are kept, in 13 bytes.
Outlines are read again and painted into a mask when a batch asks for their image.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtrain.errors import DataError, Mistake, did_you_mean, first_of, one_of
from seqtrain.registry import sources
from seqtrain.sources.class_labels import check_distinct
from seqtrain.sources.coco_file import CocoFile, Outline, outline, outlined_objects
from seqtrain.sources.json_places import read_item
from seqtrain.sources.mask_source import HIGHEST_ID
from seqtrain.sources.object_masks import MaskedObject, ObjectMasks
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.run_length import MaskDecodingError, Size

log = logging.getLogger("seqtrain")


@sources.register("coco_masks")
class CocoMasks(ObjectMasks):
    """Images whose objects are outlined in a JSON file like COCO's `instances_*.json`, by polygons or run-length codes.

    The classes are the categories in the order of their ids, numbered from 1 without gaps; 0 is the background. Where
    objects overlap, larger ones are painted first, so that smaller ones stay visible. An image without annotations is
    all background.

    Args:
        path: The JSON file.
        images: The folder that the file's `file_name`s are relative to.
        classes: The names of the categories to use, in the order of their ids from 1; the others are background.
            Default: all.
        crowd: Whether to "use" or to "skip" regions that are marked `iscrowd`, which are many objects of one class.
        unmatched: What to do with images of the file that are not in the folder: "error", or "skip" them.

    Raises:
        ConfigError: when `classes` is empty or names a category twice.
        DataError: when the file is not such a JSON file, refers to an image or a category that it does not list, or an
            image file is missing; and when a sample is read whose outline is invalid, with the annotation's id.

    Source:
        T.-Y. Lin et al., 2014, Microsoft COCO: Common Objects in Context; cocodataset.org/#format-data

    Example:
        source: {name: coco_masks, path: data/annotations/instances_val2017.json, images: data/val2017}
    """

    def __init__(
        self,
        path: Path,
        images: Path,
        classes: list[str] | None = None,
        crowd: Literal["use", "skip"] = "use",
        unmatched: Literal["error", "skip"] = "error",
    ) -> None:
        self._path = path
        file = CocoFile(path)
        names = [file.categories[category] for category in sorted(file.categories)]
        chosen = _selected(names, classes, path)
        self.classes = ("background", *chosen)
        kept = _ids_with_files(file.images, images, path, skip=unmatched == "skip")
        self._sizes = np.array([file.images[number][1] for number in kept], dtype=np.int32)
        sample = {number: position for position, number in enumerate(kept)}
        class_id = {category: chosen.index(name) + 1 for category, name in file.categories.items() if name in chosen}
        rows = file.rows(sample, class_id, with_crowds=crowd == "use")
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        super().__init__(PackedPaths(str(images), [file.images[number][0] for number in kept]), rows[:, 0])
        self._class_ids = rows[:, 1].astype(np.uint8)
        self._starts = rows[:, 2].astype(np.uint64)
        self._lengths = rows[:, 3].astype(np.uint32)

    def _objects(self, index: int, numbers: range, size: Size) -> list[MaskedObject]:
        """The objects of an image, from the largest to the smallest."""
        outlines = [self._outline(number, size) for number in numbers]
        objects = outlined_objects(outlines, self._class_ids[numbers.start : numbers.stop].tolist(), size)
        return sorted(objects, key=lambda item: -int(np.count_nonzero(item.region)))

    def _size(self, index: int) -> Size:
        size = super()._size(index)
        listed_size = tuple(self._sizes[index].tolist())
        if listed_size != size:
            raise DataError(
                f"the image {self._paths[index]} has another size than its entry says",
                where=self._path,
                expected=f"{size}, height and width of the file",
                received=f"{listed_size}",
                fix="use the images that were annotated, not scaled copies",
            )
        return size

    def _outline(self, number: int, size: Size) -> Outline:
        annotation = read_item(self._path, int(self._starts[number]), int(self._lengths[number]))
        try:
            return outline(annotation.get("segmentation"), size)
        except MaskDecodingError as error:
            raise DataError(
                f"annotation {annotation['id']}: {error}",
                where=self._path,
                expected=error.expected,
                fix="mend the annotation, or remove it",
            ) from error


def _selected(names: list[str], classes: list[str] | None, path: Path) -> list[str]:
    if classes is not None:
        check_distinct(classes)
    for name in classes or []:
        if name not in names:
            raise DataError(
                f"there is no category '{name}'", where=path, expected=one_of(names), fix=did_you_mean(name, names)
            )
    chosen = classes or names
    if not 1 <= len(chosen) <= HIGHEST_ID:
        raise DataError(
            f"the file lists {len(chosen)} categories",
            where=path,
            expected=f"1 to {HIGHEST_ID}, which a mask of bytes can tell apart",
            fix="name those to use in `classes`",
        )
    return chosen


def _ids_with_files(images: dict[Any, tuple[str, Size]], folder: Path, path: Path, skip: bool) -> list[Any]:
    """The ids of the images whose files exist, in the order of the JSON file."""
    missing = {number: folder / name for number, (name, _) in images.items() if not (folder / name).is_file()}
    if len(missing) == len(images) or (missing and not skip):
        fix = "correct `images`, the folder that the names start from; or fetch the files, or set `unmatched: skip`"
        mistakes = (Mistake(f"there is no file {file}", str(path), fix=fix) for file in missing.values())
        raise DataError(
            first_of(mistakes, len(missing), "missing files") or [Mistake("the file lists no images", str(path))]
        )
    if missing:
        log.warning("coco_masks: %d images have no file and are left out", len(missing))
    return [number for number in images if number not in missing]
