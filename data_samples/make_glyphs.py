"""Writes glyphs/: 100 invented characters, six drawings of each, as 1-bit PNG files of 28x28 pixels in class folders.

    python data_samples/make_glyphs.py

Nobody drew them; they are made in the manner of Omniglot. A character is two or three strokes, each a curve through
points of its own. A drawing moves every point a little, then turns, slants, scales and moves the whole.

`pairs.csv` lists as many pairs, each drawing the first of one, half of one character, half of two, all within alphabets
of ten characters, which the column `alphabet` numbers.
"""

import csv
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "glyphs"
NUM_CLASSES, DRAWINGS = 100, 6
ALPHABET = 10  # characters
SIDE, SCALE = 28, 8  # drawn larger, then shrunk
JITTER = 0.025


def character(rng: np.random.Generator) -> list[np.ndarray]:
    """The points of each stroke, in a square from -1 to 1."""
    return [rng.uniform(-1, 1, (3, 2)) for _ in range(rng.integers(2, 4))]


def curve(points: np.ndarray) -> np.ndarray:
    """A parabola through three points."""
    t = np.linspace(0, 1, 24)[:, None]
    first, middle, last = points
    passed = first * (1 - t) * (1 - 2 * t) + middle * 4 * t * (1 - t) + last * t * (2 * t - 1)
    return np.asarray(passed)


def drawing(strokes: list[np.ndarray], rng: np.random.Generator) -> Image.Image:
    """One way to draw a character."""
    angle, slant = rng.normal(0, 0.12), rng.normal(0, 0.12)
    width, height = rng.uniform(0.7, 1.1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[width, slant], [0, height]])
    offset = rng.uniform(-0.2, 0.2, 2)
    canvas = np.full((SIDE * SCALE, SIDE * SCALE), 255, np.uint8)
    for stroke in strokes:
        points = curve(stroke + rng.normal(0, JITTER, stroke.shape)) @ linear.T + offset
        pixels = np.rint((points * 0.62 + 1) / 2 * SIDE * SCALE).astype(np.int32)
        cv2.polylines(canvas, [pixels], isClosed=False, color=0, thickness=int(1.6 * SCALE))
    small = cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Image.fromarray(small >= 128)


def pairs(rng: np.random.Generator) -> list[tuple[str, str, int, int]]:
    """Each drawing with another one of its character, or of another character of its alphabet."""
    rows = []
    for number in range(NUM_CLASSES):
        alphabet = number // ALPHABET
        for copy in range(DRAWINGS):
            same = (number + copy) % 2
            other_number = (
                number if same else alphabet * ALPHABET + (number + int(rng.integers(1, ALPHABET))) % ALPHABET
            )
            other_copy = (copy + int(rng.integers(1, DRAWINGS))) % DRAWINGS
            rows.append((name(number, copy), name(other_number, other_copy), same, alphabet))
    return rows


def name(number: int, copy: int) -> str:
    """The path of a drawing."""
    return f"character_{number:02d}/{copy}.png"


def main() -> None:
    """Writes the files."""
    rng = np.random.default_rng(2015)
    for number in range(NUM_CLASSES):
        strokes = character(rng)
        (FOLDER / name(number, 0)).parent.mkdir(parents=True, exist_ok=True)
        for copy in range(DRAWINGS):
            drawing(strokes, rng).save(FOLDER / name(number, copy), optimize=True)
    with (FOLDER / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path_a", "path_b", "label", "alphabet"))
        writer.writerows(pairs(rng))


if __name__ == "__main__":
    main()
