"""Images with masks: one for each image, several, runs in a table, and polygons in a JSON file."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.benchmarks.kind import Kind, shuffled
from tests.benchmarks.scenes import CLASSES, scenes
from tests.benchmarks.sequences import pillow_picture

_SIZE = (224, 224)


class Masked:
    """Images and masks of one size; what a mask is made of, a subclass says.

    Args:
        folder: Of the scenes.
        batch_size: Samples in a batch.
        training: Whether to shuffle.
    """

    images = "images/*.jpg"

    def __init__(self, folder: Path, batch_size: int, training: bool) -> None:
        self.folder = folder
        self.paths = sorted(str(path) for path in folder.glob(self.images))
        self.batch_size = batch_size
        self.order = shuffled(len(self.paths), training)

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        paths = [self.paths[i] for i in self.order[index * self.batch_size : (index + 1) * self.batch_size]]
        x = np.array([pillow_picture(path, _SIZE) for path in paths])
        y = np.array([_resized(self.mask(Path(path))) for path in paths])
        return x, y

    def mask(self, path: Path) -> Image.Image:
        """The mask of an image, in the image's size."""
        raise NotImplementedError


class OneMask(Masked):
    """A PNG of ids beside every image."""

    def mask(self, path: Path) -> Image.Image:
        """Reads it."""
        return Image.open(self.folder / "masks" / f"{path.stem}.png")


class SeveralMasks(Masked):
    """A PNG for each object, merged by union."""

    images = "cells/*/images/*.jpg"

    def mask(self, path: Path) -> Image.Image:
        """Merges them."""
        merged = None
        for file in sorted((path.parent.parent / "masks").glob("*.png")):
            mask = np.array(Image.open(file)) > 0
            merged = mask if merged is None else np.maximum(merged, mask)
        return Image.fromarray(merged.astype(np.uint8))


class Runs(Masked):
    """Rows of runs, decoded with the loop that goes round among competitors."""

    def __init__(self, folder: Path, batch_size: int, training: bool) -> None:
        super().__init__(folder, batch_size, training)
        self.rows = defaultdict(list)
        with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                self.rows[row["ImageId"]].append((int(row["ClassId"]), row["EncodedPixels"]))

    def mask(self, path: Path) -> Image.Image:
        """Decodes them."""
        with Image.open(path) as image:
            width, height = image.size
        mask = np.zeros((height, width), dtype=np.uint8)
        for label, text in self.rows[path.name]:
            mask[_decoded(text, height, width) == 1] = label
        return Image.fromarray(mask)


def _decoded(text: str, height: int, width: int) -> np.ndarray:
    numbers = text.split()
    starts, lengths = (np.asarray(part, dtype=int) for part in (numbers[0::2], numbers[1::2]))
    starts -= 1
    mask = np.zeros(height * width, dtype=np.uint8)
    for low, high in zip(starts, starts + lengths, strict=True):
        mask[low:high] = 1
    return mask.reshape((width, height)).T


class Polygons(Masked):
    """Annotations of a JSON file, drawn with Pillow, the largest first."""

    def __init__(self, folder: Path, batch_size: int, training: bool) -> None:
        super().__init__(folder, batch_size, training)
        listing = json.loads((folder / "instances.json").read_text())
        names = {image["id"]: image["file_name"] for image in listing["images"]}
        self.annotations = defaultdict(list)
        for annotation in listing["annotations"]:
            self.annotations[names[annotation["image_id"]]].append(annotation)

    def mask(self, path: Path) -> Image.Image:
        """Draws them."""
        with Image.open(path) as image:
            mask = Image.new("L", image.size)
        draw = ImageDraw.Draw(mask)
        for annotation in sorted(self.annotations[path.name], key=lambda a: -a["area"]):
            for polygon in annotation["segmentation"]:
                draw.polygon(polygon, fill=annotation["category_id"])
        return mask


def _resized(mask: Image.Image) -> np.ndarray:
    return np.asarray(mask.resize(_SIZE[::-1], Image.Resampling.NEAREST))


_SEQUENCE = {"name": "image_mask", "image_size": _SIZE}

MASK_KINDS = [
    Kind(
        "one mask an image",
        scenes,
        lambda at: {"name": "image_mask", "images": at / "images", "masks": at / "masks", "classes": list(CLASSES)},
        _SEQUENCE,
        32,
        {"Pillow": OneMask},
        num_batches=50,
        at_least=2.0,
    ),
    Kind(
        "several masks an image",
        scenes,
        lambda at: {"name": "mask_folders", "path": at / "cells"},
        _SEQUENCE,
        32,
        {"Pillow": SeveralMasks},
        num_batches=40,
        at_least=2.0,
    ),
    Kind(
        "run-length masks",
        scenes,
        lambda at: {"name": "encoded_masks", "path": at / "runs.csv", "images": at / "images"},
        _SEQUENCE,
        32,
        {"Pillow, runs in a loop": Runs},
        num_batches=40,
        at_least=2.0,
    ),
    Kind(
        "COCO polygons",
        scenes,
        lambda at: {"name": "coco_masks", "path": at / "instances.json", "images": at / "images"},
        _SEQUENCE,
        32,
        {"Pillow": Polygons},
        num_batches=50,
        at_least=2.0,
    ),
]
