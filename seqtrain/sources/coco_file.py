"""COCO's JSON files: their images, categories and annotations, and the pixels that an annotation outlines.

Outlines are not kept in memory: those of an image are read again when it is needed. They are polygons, run-length
counts, or counts as text.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, DataError, Mistake
from seqtrain.sources.json_places import JSONItem, decoded_text, json_items
from seqtrain.sources.object_masks import MaskedObject
from seqtrain.sources.polygon import Points, fill_polygons
from seqtrain.sources.run_length import MaskDecodingError, Region, Size, region_of_counts, uncompressed

Outline = Region | list[Points]

_FEWEST_NUMBERS = 6  # the coordinates of the three points that a polygon needs
_EXPECTED = {
    "images": "id, file_name, height and width",
    "categories": "id and name",
    "annotations": "id, image_id, category_id and segmentation",
}


class CocoFile:
    """The images, the categories and the file positions of the annotations.

    Args:
        path: The JSON file.

    Raises:
        DataError: when the file is not such a JSON file, or lists an image or a category twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.images: dict[Any, tuple[str, Size]] = {}
        self.categories: dict[Any, str] = {}
        self._annotations: list[tuple[Any, Any, Any]] = []
        self._places = array("q")
        take = {"images": self._take_image, "categories": self._take_category, "annotations": self._take_annotation}
        for item in json_items(path, take):
            try:
                take[item.key](item)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataError(
                    f"an item of '{item.key}' lacks what it must have: {type(error).__name__}: {error}",
                    where=path,
                    expected=_EXPECTED[item.key],
                    received=decoded_text(str(item.value)[:200]),
                ) from error

    def rows(self, sample: dict[Any, int], class_id: dict[Any, int], with_crowds: bool) -> npt.NDArray[np.int64]:
        """The sample, class id, first byte and number of bytes of each annotation that is used.

        Args:
            sample: The sample of each used image, by the image's id.
            class_id: The class id of each used category, by the category's id.
            with_crowds: Whether regions of many objects are used.

        Raises:
            DataError: when annotations name images or categories that are not listed.
        """
        mistakes: list[Mistake] = []
        rows = array("q")
        for number, (name, image, category) in enumerate(self._annotations):
            start, length, is_crowd = self._places[3 * number : 3 * number + 3]
            if image not in self.images or category not in self.categories:
                kind, listed = ("image", image) if image not in self.images else ("category", category)
                message = f"annotation {name}: there is no {kind} {listed}"
                mistakes.append(Mistake(message, str(self._path), fix=f"list the {kind}, or remove the annotation"))
                if len(mistakes) == MOST_LISTED:
                    break
            elif image in sample and category in class_id and (with_crowds or not is_crowd):
                rows.extend((sample[image], class_id[category], start, length))
        if mistakes:
            raise DataError(mistakes)
        return np.array(rows, dtype=np.int64).reshape(-1, 4)

    def _take_image(self, item: JSONItem) -> None:
        image = item.value
        size = int(image["height"]), int(image["width"])
        self._require_new("image", image["id"], image["id"] in self.images)
        self.images[image["id"]] = (decoded_text(image["file_name"]), size)

    def _take_category(self, item: JSONItem) -> None:
        category, name = item.value["id"], decoded_text(item.value["name"])
        self._require_new("category", category, category in self.categories)
        self._require_new("category", name, name in self.categories.values())
        self.categories[category] = name

    def _take_annotation(self, item: JSONItem) -> None:
        annotation = item.value
        self._annotations.append((annotation["id"], annotation["image_id"], annotation["category_id"]))
        self._places.extend((item.start, item.length, int(annotation.get("iscrowd", 0))))

    def _require_new(self, kind: str, name: Any, is_known: bool) -> None:
        if is_known:
            raise DataError(f"the {kind} {name} is listed twice", where=self._path, fix="remove or rename one of them")


def outline(segmentation: Any, size: Size) -> Outline:
    """Parses an annotation's `segmentation`: a region if it holds runs, or the points of polygons.

    Args:
        segmentation: A list of polygons, each a list of x and y in turn; or an object with `size` and `counts`.
        size: The size of the image.

    Raises:
        MaskDecodingError: when it is none of these, is damaged, is for another size, or lies outside of the image.
    """
    if isinstance(segmentation, dict):
        return _region(segmentation, size)
    if not isinstance(segmentation, list) or not segmentation:
        raise MaskDecodingError("there is no outline", "a list of polygons, or an object of size and counts")
    return [_points(number, polygon, size) for number, polygon in enumerate(segmentation, start=1)]


def outlined_objects(outlines: Sequence[Outline], class_ids: Sequence[int], size: Size) -> list[MaskedObject]:
    """The objects of one image. All polygons are filled at once, and those of one object are joined.

    Args:
        outlines: The outlines of the objects.
        class_ids: The class ids of the objects.
        size: The size of the image.
    """
    polygons = [points for parts in outlines if isinstance(parts, list) for points in parts]
    regions = iter(fill_polygons(polygons, size))
    objects = []
    for parts, class_id in zip(outlines, class_ids, strict=True):
        where = _union(list(islice(regions, len(parts)))) if isinstance(parts, list) else (parts, 0, 0)
        objects.append(MaskedObject(class_id, *where))
    return objects


def _union(parts: list[tuple[Region, int, int]]) -> tuple[Region, int, int]:
    if len(parts) == 1:
        return parts[0]
    top, left = min(top for _, top, _ in parts), min(left for _, _, left in parts)
    bottom = max(top + region.shape[0] for region, top, _ in parts)
    right = max(left + region.shape[1] for region, _, left in parts)
    union = np.zeros((bottom - top, right - left), dtype=np.bool_, order="F")
    for region, row, column in parts:
        union[row - top : row - top + region.shape[0], column - left : column - left + region.shape[1]] |= region
    return union, top, left


def _region(segmentation: dict[str, Any], size: Size) -> Region:
    if segmentation.get("size") != list(size):
        received = segmentation.get("size")
        raise MaskDecodingError(f"its runs are for the size {received}", f"{list(size)}, height and width of the image")
    counts = segmentation.get("counts")
    if not isinstance(counts, (list, str)):
        raise MaskDecodingError("its runs have no counts", "counts, as a list of numbers or as text")
    return region_of_counts(uncompressed(counts) if isinstance(counts, str) else counts, size)


def _points(number: int, polygon: Any, size: Size) -> Points:
    try:
        numbers = np.array(polygon, dtype=np.float64)
    except (TypeError, ValueError):
        raise MaskDecodingError(f"polygon {number} is no list of numbers", "x and y of each point in turn") from None
    if numbers.ndim != 1 or len(numbers) % 2 or len(numbers) < _FEWEST_NUMBERS:
        raise MaskDecodingError(
            f"polygon {number} has {numbers.size} numbers", "x and y in turn, of three points or more, as one list"
        )
    points = numbers.reshape(-1, 2)
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if not all(map(math.isfinite, (*low, *high))):
        raise MaskDecodingError(f"polygon {number} has a point that is no finite number", "finite numbers")
    if min(high) <= 0 or low[0] >= size[1] or low[1] >= size[0]:
        raise MaskDecodingError(
            f"polygon {number} lies outside of the image: from {tuple(low)} to {tuple(high)}",
            f"x from 0 to {size[1]} and y from 0 to {size[0]}",
        )
    return points
