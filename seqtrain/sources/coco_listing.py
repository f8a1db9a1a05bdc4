"""What the lists of a COCO file say, without outlines: those are read again when they are needed."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, DataError, Mistake
from seqtrain.sources.json_places import JSONItem, json_items, unmangled
from seqtrain.sources.run_length import Size

_EXPECTED = {
    "images": "id, file_name, height and width",
    "categories": "id and name",
    "annotations": "id, image_id, category_id and segmentation",
}


class CocoListing:
    """The images, the categories and the places of the annotations.

    Args:
        path: The JSON file.

    Raises:
        DataError: when the file is no such JSON, or lists an image or a category twice.
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
                    received=unmangled(str(item.value)[:200]),
                ) from error

    def rows(self, sample: dict[Any, int], class_id: dict[Any, int], with_crowds: bool) -> npt.NDArray[np.int64]:
        """Sample, class id, first byte and number of bytes of each annotation that is wanted.

        Args:
            sample: By the id of the image, those that are used.
            class_id: By the id of the category, those that are used.
            with_crowds: Whether regions of many objects are wanted.

        Raises:
            DataError: when annotations name images or categories that are not listed.
        """
        mistakes: list[Mistake] = []
        rows = array("q")
        for number, (name, image, category) in enumerate(self._annotations):
            start, length, is_crowd = self._places[3 * number : 3 * number + 3]
            if image not in self.images or category not in self.categories:
                kind, listed = ("image", image) if image not in self.images else ("category", category)
                told = f"annotation {name}: there is no {kind} {listed}"
                mistakes.append(Mistake(told, str(self._path), fix=f"list the {kind}, or remove the annotation"))
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
        self.images[image["id"]] = (unmangled(image["file_name"]), size)

    def _take_category(self, item: JSONItem) -> None:
        category, name = item.value["id"], unmangled(item.value["name"])
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
