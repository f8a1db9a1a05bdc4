"""Writes cells/: 48 generated pictures of cells, gray, 64x64, with their masks in three forms.

    python data_samples/make_cells.py

There are two kinds of cells, plain ones and ones with a dark nucleus, on a background that is darker on one side, with
bright scratches that are no cells. Some cells touch or overlap. The forms:

    cells/<id>/images/<id>.png, cells/<id>/masks/*.png      a binary mask for each cell
    cells/runs.csv          ImageId_ClassId,EncodedPixels   a row for each kind in each picture, blank for none
    cells/instances.json    COCO: plain cells as polygons; cells with a nucleus as counts, every other one compressed
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent / "cells"
SIDE, NUM_PICTURES, NUM_POINTS = 64, 48, 20
PLAIN, NUCLEATED = 1, 2
CATEGORY_IDS = {PLAIN: 3, NUCLEATED: 17}


class Cell:
    """An ellipse of a kind.

    Args:
        generator: Draws it.
    """

    def __init__(self, generator):
        self.kind = int(generator.integers(PLAIN, NUCLEATED + 1))
        self.center = generator.uniform(7, SIDE - 7, 2)
        self.radii = generator.uniform(6, 9.5, 2)
        angle = generator.uniform(0, np.pi)
        self.turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.brightness = generator.uniform(120, 160)

    def distance(self):
        """Of each pixel's centre to the middle, 1 at the edge of the cell."""
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        offset = np.stack([x - self.center[0], y - self.center[1]], axis=-1) @ self.turn
        return np.hypot(offset[..., 0] / self.radii[0], offset[..., 1] / self.radii[1])

    def polygon(self):
        """Its edge as x and y in turn."""
        angles = np.linspace(0, 2 * np.pi, NUM_POINTS, endpoint=False)
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * self.radii @ self.turn.T + self.center
        return np.clip(points, 0, SIDE).round(2).reshape(-1).tolist()


def draw_cells(generator):
    """Some cells, none of which lies mostly under another."""
    cells = []
    while len(cells) < 5:
        cell = Cell(generator)
        region = cell.distance() < 1
        if all((region & (other.distance() < 1)).sum() < 0.15 * region.sum() for other in cells):
            cells.append(cell)
    return cells[: generator.integers(3, 6)]


def picture(cells, generator):
    """The cells on a background, with scratches and noise."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    slope = generator.uniform(-40, 40, 2)
    pixels = 70 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5)
    scratches = Image.new("L", (SIDE, SIDE))
    for ends in generator.uniform(0, SIDE, (2, 4)).tolist():
        ImageDraw.Draw(scratches).line(ends, fill=1)
    pixels[np.asarray(scratches) > 0] = 150
    for cell in cells:
        distance = cell.distance()
        pixels[distance < 1] = cell.brightness
        if cell.kind == NUCLEATED:
            pixels[distance < 0.5] = 60
    return np.clip(np.rint(pixels + generator.normal(0, 4, pixels.shape)), 0, 255).astype(np.uint8)


def counts(mask):
    """The lengths of runs down the columns, outside and inside in turn, beginning outside."""
    flat = mask.T.reshape(-1)
    changes = np.flatnonzero(np.diff(flat, prepend=False)).tolist()
    return np.diff([0, *changes, flat.size]).tolist()


def pairs(mask):
    """The same as start, counted from 1, and length of the runs inside."""
    lengths = counts(mask)
    starts = np.cumsum([1, *lengths])
    return " ".join(f"{starts[run]} {lengths[run]}" for run in range(1, len(lengths), 2))


def compressed(numbers):
    """Counts as COCO's text: differences to the number two places before, in base 32 from code 48 on."""
    text = ""
    for place, number in enumerate(numbers):
        value = number - numbers[place - 2] if place > 2 else number
        while not -16 <= value < 16:
            text += chr(48 + 32 + value % 32)
            value //= 32
        text += chr(48 + value % 32)
    return text


def segmentation(cell, number):
    """A cell as COCO stores it, in one of three ways."""
    if cell.kind == PLAIN:
        return [cell.polygon()]
    lengths = counts(cell.distance() < 1)
    return {"size": [SIDE, SIDE], "counts": compressed(lengths) if number % 2 else lengths}


def write_folder(name, pixels, cells):
    """One picture and the masks of its cells."""
    for part in ("images", "masks"):
        (FOLDER / name / part).mkdir(parents=True)
    Image.fromarray(pixels).save(FOLDER / name / "images" / f"{name}.png", optimize=True)
    for number, cell in enumerate(cells):
        mask = Image.fromarray(cell.distance() < 1)
        mask.save(FOLDER / name / "masks" / f"{number}.png", optimize=True)


def main():
    """Writes the files."""
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    generator = np.random.default_rng(2018)
    lines, images, annotations = ["ImageId_ClassId,EncodedPixels"], [], []
    for number in range(NUM_PICTURES):
        name, cells = f"cell_{number:02d}", draw_cells(generator)
        write_folder(name, picture(cells, generator), cells)
        for kind in (PLAIN, NUCLEATED):
            regions = [cell.distance() < 1 for cell in cells if cell.kind == kind]
            lines.append(f"{name}_{kind},{pairs(np.any(regions, axis=0)) if regions else ''}")
        images.append({"id": number + 1, "file_name": f"{name}/images/{name}.png", "height": SIDE, "width": SIDE})
        for cell in cells:
            annotation = {"id": len(annotations) + 1, "image_id": number + 1, "category_id": CATEGORY_IDS[cell.kind]}
            outline = segmentation(cell, len(annotations))
            annotations.append({**annotation, "iscrowd": 0, "segmentation": outline})
    names = {PLAIN: "plain", NUCLEATED: "nucleated"}
    categories = [{"id": CATEGORY_IDS[kind], "name": name} for kind, name in names.items()]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (FOLDER / "instances.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
    (FOLDER / "runs.csv").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
