"""Writes shapes/images/ and shapes/masks/: 120 pictures of discs and squares, and a palette PNG of ids for each.

    python data_samples/make_shapes.py

A picture has a disc and a square on a ground of smooth colour with grain. Both are lighter than the ground, in random
colours drawn alike for both kinds: neither brightness nor colour tells a disc from a square, only its outline and its
filling do: discs are plain, squares are hatched along their sides, and lie at any angle. In the masks 0 is the
background, 1 the disc and 2 the square; their colours are for looking at.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "shapes"
NUM_PICTURES, SIDE = 120, 64
FINER = 8  # shapes are drawn so much larger, so that their edges are smooth when shrunk
PALETTE = [0, 0, 0, 230, 159, 0, 86, 180, 233]
DISC, SQUARE = 1, 2


def places(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two centres that are far enough apart, and reach over the edge a little."""
    while True:
        centers = rng.uniform(8, SIDE - 8, (2, 2))
        if np.hypot(*(centers[0] - centers[1])) > 29:
            return centers[0], centers[1]


def disc(center: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel a disc covers, 0 to 1, and how strong its colour is there: the same everywhere."""
    large = np.zeros((SIDE * FINER, SIDE * FINER), dtype=np.uint8)
    cv2.circle(large, tuple(np.rint(center * FINER).astype(int).tolist()), int(rng.uniform(9, 13) * FINER), 255, -1)
    return shrunk(large), np.ones((SIDE, SIDE))


def square(center: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same of a square, whose colour comes and goes in stripes, five pixels apart."""
    large = np.zeros((SIDE * FINER, SIDE * FINER), dtype=np.uint8)
    side, degrees = rng.uniform(15, 22), rng.uniform(0, 90)
    corners = cv2.boxPoints((tuple((center * FINER).tolist()), (side * FINER, side * FINER), degrees))
    cv2.fillPoly(large, [np.rint(corners).astype(np.int32)], 255)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = columns * np.cos(np.deg2rad(degrees)) + rows * np.sin(np.deg2rad(degrees))
    return shrunk(large), 0.6 + 0.4 * np.sin(along * np.pi / 2.5)


def shrunk(large: np.ndarray) -> np.ndarray:
    """A shape in the size of the picture, 0 to 1."""
    return cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 255


def ground(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A smooth ground of one hue, and its mean colour."""
    color = rng.uniform(40, 140, 3)
    waves = cv2.resize(rng.normal(0, 14, (4, 4)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return color + waves[..., None], color


def picture(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture (64, 64, 3) and its mask (64, 64)."""
    image, color = ground(rng)
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    for kind, draw, center in zip((DISC, SQUARE), (disc, square), places(rng), strict=True):
        covered, strength = draw(center, rng)
        step = np.abs(rng.normal(size=3))  # lighter
        shade = color + step / np.linalg.norm(step) * rng.uniform(70, 100)
        image += (covered * strength)[..., None] * (shade - color)
        mask[covered >= 0.5] = kind
    return np.clip(image + rng.normal(0, 7, image.shape), 0, 255).astype(np.uint8), mask


def main() -> None:
    """Writes the files."""
    rng = np.random.default_rng(15)
    for folder in ("images", "masks"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    for number in range(NUM_PICTURES):
        pixels, ids = picture(rng)
        Image.fromarray(pixels).save(FOLDER / "images" / f"{number:03}.jpg", quality=80)
        mask = Image.fromarray(ids)
        mask.putpalette(PALETTE)
        mask.save(FOLDER / "masks" / f"{number:03}.png", bits=2, optimize=True)


if __name__ == "__main__":
    main()
