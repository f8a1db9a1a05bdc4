"""The source `image_mask`: a folder of images and a folder of masks, one for each image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import sources
from seqtrain.sources.base import Paths
from seqtrain.sources.class_labels import check_distinct
from seqtrain.sources.file_listing import MaskNames, matched_by_stem
from seqtrain.sources.image_files import image_extensions
from seqtrain.sources.mask_file import Ids, read_ids
from seqtrain.sources.mask_source import Mask, MaskSource
from seqtrain.sources.packed_paths import PackedPaths

StoredId = Annotated[int, Field(ge=0, le=65535)]

IGNORED = 255
"""The id that `read_mask` gives to ignored pixels."""

_WHITE = 255
_MOST_IDS_TOLD = 10


@sources.register("image_mask")
class ImageMaskSource(MaskSource):
    """Images with one mask each: `images/cat.jpg` and `masks/cat.png`, or `masks/cat_mask.png` with a suffix.

    A mask is an image of class ids: gray with 1, 8 or 16 bits, or a palette, whose colours do not matter. With two
    classes, 0 and 255 are read as 0 and 1.

    Args:
        images: The folder of the images, at any depth.
        masks: The folder of the masks, with the same paths and stems; the extensions may differ.
        classes: The names of the ids 0, 1 and so on, starting with the background.
        mask_suffix: A suffix of the masks' stems, such as "_mask" for `cat_mask.png`.
        ignore: The id of pixels to ignore, such as 255 for borders: they get the sample weight 0. Put metrics under
            `weighted_metrics` to ignore them there too.
        unmatched: What to do with images without a mask and the reverse: "error", or "skip" them.

    Raises:
        ConfigError: when `classes` names fewer than two, one of them twice, or `ignore` is the id of a class.
        DataError: when a folder is missing, or a file has no partner; and when a mask is read that is not a mask, or
            holds ids of no class.

    Example:
        source: {name: image_mask, images: ../data_samples/shapes/images, masks: ../data_samples/shapes/masks,
                 classes: [background, disc, square]}
    """

    ignored_id: int | None
    mask_names: MaskNames

    def __init__(
        self,
        images: Path,
        masks: Path,
        classes: list[str],
        mask_suffix: str = "",
        ignore: StoredId | None = None,
        unmatched: Literal["error", "skip"] = "error",
    ) -> None:
        _check_classes(classes, ignore)
        matched = matched_by_stem((images, masks), image_extensions(), ("", mask_suffix), unmatched == "skip")
        super().__init__(PackedPaths(str(images), (image for image, _ in matched.values())))
        self._masks = PackedPaths(str(masks), (mask for _, mask in matched.values()))
        self.classes = tuple(classes)
        self.ignored_id = None if ignore is None else IGNORED
        self._ignore = ignore
        self.mask_names = MaskNames.beside(images, masks, mask_suffix)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": self._paths[index], "mask": self._masks[index]}

    @property
    def files(self) -> tuple[Paths, ...]:
        """The images and the masks."""
        return self._paths, self._masks

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[Any, Any]:
        """The paths of the images and of the masks."""
        images, masks = ([paths[index] for index in indices.tolist()] for paths in self.files)
        return images, masks

    def read_mask(self, index: int) -> Mask:
        """The class id of each pixel, (height, width); `IGNORED` for ignored pixels.

        Raises:
            DataError: when the mask cannot be read, or holds an id of no class.
        """
        path = self._masks[index]
        ids = read_ids(path)
        if ids.max() < len(self.classes) and ids.min() >= 0:
            return ids.astype(np.uint8, copy=False)
        return self._converted(ids, path)

    def _converted(self, ids: Ids, path: str) -> Mask:
        """Converts a mask with other ids than the classes': white to 1, and ignored pixels to `IGNORED`."""
        found = {int(value) for value in np.unique(ids)} - {self._ignore}
        is_ignored = np.zeros(ids.shape, dtype=np.bool_) if self._ignore is None else ids == self._ignore
        if len(self.classes) == 2 and _WHITE in found and found <= {0, _WHITE}:
            ids = ids == _WHITE
        elif found and not found <= set(range(len(self.classes))):
            raise self._unknown_id_error(sorted(found), path)
        return np.where(is_ignored, IGNORED, ids).astype(np.uint8)

    def _unknown_id_error(self, found: list[int], path: str) -> DataError:
        highest = len(self.classes) - 1
        unknown = [value for value in found if not 0 <= value <= highest]
        shown = ", ".join(map(str, found[:_MOST_IDS_TOLD])) + (" ..." if len(found) > _MOST_IDS_TOLD else "")
        if path.lower().endswith((".jpg", ".jpeg")):
            fix = "save masks as PNG: JPEG changes the numbers"
        elif unknown == [_WHITE] and self._ignore is None:
            fix = "where 255 marks pixels that do not count, set `ignore: 255`"
        else:
            fix = "name every class in `classes`, set `ignore` to the id of pixels that do not count, or mend the mask"
        return DataError(
            f"the mask holds the id {unknown[0]}, which is no class",
            where=path,
            expected=f"0 to {highest} ({', '.join(self.classes)})" + (", or 0 and 255" if highest == 1 else ""),
            received=shown,
            fix=fix,
        )


def _check_classes(classes: list[str], ignore: int | None) -> None:
    if not 2 <= len(classes) <= IGNORED:
        raise ConfigError(
            "classes: masks need a background and at least one more class",
            expected=f"2 to {IGNORED} names, in the order of the ids",
            received=str(len(classes)),
            fix="name the background first, as in `classes: [background, thing]`",
        )
    check_distinct(classes)
    if ignore is not None and ignore < len(classes):
        raise ConfigError(
            f"ignore: {ignore} is the id of the class '{classes[ignore]}'",
            expected=f"an id from {len(classes)}, such as 255",
            fix="leave the class out of `classes`, or ignore another id",
        )
