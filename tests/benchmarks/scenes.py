"""Photographs with objects in them, whose masks are kept in the four ways that people keep them.

images/00000.jpg, masks/00000.png      one mask of ids
cells/00000/images/, cells/00000/masks/   one mask for each object
runs.csv                               runs of each object
instances.json                         polygons, in COCO's form
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tests.benchmarks.data import photographs

CLASSES = ("background", "bird", "boat", "dog")
_MOST_OBJECTS = 8
_CORNERS = 40


def scenes(data: Path, quick: bool) -> Path:
    """Writes the scenes, where they are not there; returns their folder."""
    count = 8 if quick else 400
    folder = data / f"scenes-{count}"
    if (folder / "instances.json").exists():
        return folder
    generator = np.random.default_rng(count)
    pictures = sorted(photographs(data, count).glob("*/*.jpg"), key=lambda path: path.name)
    for name in ("images", "masks", "cells"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows, annotations = [], []
    for number, picture in enumerate(pictures):
        outlines = _write_scene(folder, picture, generator)
        with Image.open(picture) as image:
            size = image.size
        for label, outline in outlines:
            rows.append((picture.name, label, runs(_drawn(outline, size, 1) > 0)))
            annotations.append(_annotation(len(annotations) + 1, number + 1, label, outline))
    with (folder / "runs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("ImageId", "ClassId", "EncodedPixels"), *rows])
    images = [
        {"id": number, "file_name": picture.name, "width": size[0], "height": size[1]}
        for number, picture in enumerate(pictures, start=1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES) if number]
    listing = {"images": images, "categories": categories, "annotations": annotations}
    (folder / "instances.json").write_text(json.dumps(listing))
    return folder


def runs(mask: np.ndarray) -> str:
    """A mask as pairs of start and length, down the columns, from 1."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.reshape(-1).astype(np.int8), [0]])))
    return " ".join(f"{start + 1} {stop - start}" for start, stop in changes.reshape(-1, 2).tolist())


def _write_scene(folder: Path, picture: Path, generator: np.random.Generator) -> list[tuple[int, np.ndarray]]:
    content, cell = picture.read_bytes(), folder / "cells" / picture.stem
    (folder / "images" / picture.name).write_bytes(content)
    for name in ("images", "masks"):
        (cell / name).mkdir(parents=True, exist_ok=True)
    (cell / "images" / picture.name).write_bytes(content)
    with Image.open(picture) as image:
        size = image.size
    outlines = [
        (int(generator.integers(1, len(CLASSES))), _outline(size, generator))
        for _ in range(generator.integers(3, _MOST_OBJECTS + 1))
    ]
    ids = np.zeros(size[::-1], np.uint8)
    for number, (label, outline) in enumerate(outlines):
        drawn = _drawn(outline, size, 255)
        ids[drawn > 0] = label
        Image.fromarray(drawn).save(cell / "masks" / f"{number:02d}.png")
    Image.fromarray(ids).save(folder / "masks" / f"{picture.stem}.png")
    return outlines


def _outline(size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """The corners of a blob inside a picture, (number, 2), x and y."""
    radius = generator.uniform(25, 80)
    centre = generator.uniform(radius * 1.3, np.array(size) - radius * 1.3)
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    lobes = 1 + 0.25 * np.sin(3 * angles + generator.uniform(0, 6)) * generator.uniform(0, 1)
    return np.round(centre + (radius * lobes)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1), 1)


def _drawn(outline: np.ndarray, size: tuple[int, int], value: int) -> np.ndarray:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon(outline.reshape(-1).tolist(), fill=value)
    return np.asarray(mask)


def _annotation(number: int, image: int, label: int, outline: np.ndarray) -> dict[str, Any]:
    x, y = outline.T
    area = abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    polygons = [outline.reshape(-1).tolist()]
    where = {"id": number, "image_id": image, "category_id": label, "iscrowd": 0}
    return {**where, "area": area, "segmentation": polygons}
