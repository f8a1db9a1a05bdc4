"""Writes `slices/x.npy` and `slices/y.npy`: 400 generated slices of a head, half of them with a bright lesion.

Nothing in them comes from a patient. A slice is an ellipse of skull around tissue with a smooth texture and two dark
ventricles; the lesion is a small bright spot with a soft edge anywhere in the tissue, no brighter than the skull, so
that the mean and the maximum of the pixels hardly tell the classes apart.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

NUM_SLICES, SIZE = 400, 64
FOLDER = Path(__file__).parent / "slices"


def ellipse(center: tuple[float, float], axes: tuple[float, float], degrees: float, softness: float) -> np.ndarray:
    """1 inside the ellipse and 0 outside, with a soft edge; (x, y) in pixels."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    angle = np.deg2rad(degrees)
    dx, dy = columns - center[0], rows - center[1]
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    distance = np.hypot(along / axes[0], across / axes[1])
    return 1 / (1 + np.exp(np.clip((distance - 1) / softness, -50, 50)))


def texture(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Smooth noise of variance 1."""
    noise = cv2.GaussianBlur(rng.normal(size=(SIZE, SIZE)), (0, 0), sigma)
    return (noise - noise.mean()) / noise.std()


def head_slice(rng: np.random.Generator, lesion: bool) -> np.ndarray:
    """One slice, (64, 64, 1), 0 to 255."""
    center = tuple(rng.uniform(30, 34, 2))
    axes, degrees = (rng.uniform(19, 24), rng.uniform(24, 29)), rng.uniform(-12, 12)
    head = ellipse(center, axes, degrees, 0.03)
    brain = ellipse(center, (axes[0] - 3, axes[1] - 3), degrees, 0.03)
    image = rng.uniform(180, 220) * (head - brain) + brain * (85 + rng.uniform(-8, 8) + 9 * texture(rng, 2.5))
    for side in (-1, 1):
        ventricle = ellipse((center[0] + side * 4.5, center[1] - 1), (2.2, 7), degrees + side * 8, 0.15)
        image *= 1 - 0.6 * ventricle
    if lesion:
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.7)
        spot = (center[0] + reach * axes[0] * np.cos(angle), center[1] + reach * axes[1] * np.sin(angle))
        image += rng.uniform(65, 90) * ellipse(spot, tuple(rng.uniform(2.5, 4.5, 2)), rng.uniform(0, 180), 0.2)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)[..., None]


def main() -> None:
    """Writes both files."""
    rng = np.random.default_rng(64)
    y = rng.permutation(np.arange(NUM_SLICES) % 2).astype(np.uint8)
    FOLDER.mkdir(exist_ok=True)
    np.save(FOLDER / "x.npy", np.stack([head_slice(rng, bool(label)) for label in y]))
    np.save(FOLDER / "y.npy", y)


if __name__ == "__main__":
    main()
