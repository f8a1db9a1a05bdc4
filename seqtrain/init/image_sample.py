"""Reads the size and colour of some images from their headers, to suggest `image_size`, `color` and `batch_size`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

from PIL import Image

from seqtrain.errors import DataError
from seqtrain.init.listing import evenly
from seqtrain.init.recipe import Size, filters, size_text
from seqtrain.sources.image_header import read_image_size

_SAMPLED = 100
_NEARLY_SQUARE = 1.15
_MUCH_STRETCHED = 1.5
_LARGEST = 224
_GRAY = frozenset({"1", "L", "LA", "I", "I;16", "F"})


@dataclass(frozen=True)
class ImageSample:
    """Facts about a sample of the images.

    Args:
        count: The number of all images.
        median: The median height and the median width.
        smallest: The size of the smallest image by area.
        largest: The size of the largest image by area.
        proportions: Width divided by height, of the narrowest and of the widest image.
        is_gray: Whether all images are gray.
        unreadable: The sampled images that cannot be read.
    """

    count: int
    median: Size
    smallest: Size
    largest: Size
    proportions: tuple[float, float]
    is_gray: bool
    unreadable: tuple[str, ...]

    @property
    def color(self) -> str:
        """The value for the argument `color` of sequences."""
        return "gray" if self.is_gray else "rgb"

    def batch_size(self, most: int = 64) -> int:
        """A power of two that gives at least ten steps per epoch."""
        return fitting_batch_size(self.count, most)

    def image_size(self, multiple: int = 1) -> Size:
        """The median size, with sides of at most 224 pixels; square if it is nearly square or was reduced."""
        height, width = self.median
        scale = min(1.0, _LARGEST / max(height, width))
        is_square = max(height, width) <= _NEARLY_SQUARE * min(height, width)
        if is_square or scale < 1:
            height = width = round((height * width) ** 0.5) if is_square and scale == 1 else _LARGEST
        return _down_to(height, multiple), _down_to(width, multiple)

    def values(self, image_size: Size) -> dict[str, Any]:
        """The values for the recipes."""
        return {"image_size": list(image_size), "color": self.color, "filters": filters(image_size)}

    def summary(self) -> str:
        """The size and colour as text: "64x64, gray"."""
        spread = (
            "" if self.smallest == self.largest else f" (from {size_text(self.smallest)} to {size_text(self.largest)})"
        )
        return f"{size_text(self.median)}{spread}, {'gray' if self.is_gray else 'in colour'}"

    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        looked_at = min(self.count, _SAMPLED)
        narrowest, widest = self.proportions
        notes = []
        if self.unreadable:
            notes.append(
                f"{len(self.unreadable)} of {looked_at} files looked at cannot be read, such as {self.unreadable[0]}"
            )
        if widest / narrowest >= _MUCH_STRETCHED:
            notes.append(
                f"width to height goes from {narrowest:.2f} to {widest:.2f}, and all are stretched to one size; "
                "'resize: crop' or 'resize: pad' in the sequence keeps their proportions"
            )
        return tuple(notes)


def sample_images(root: Path, files: Sequence[str]) -> ImageSample | None:
    """Reads the headers of evenly spaced images; None if none of them can be read."""
    sizes: list[Size] = []
    modes: Counter[str] = Counter()
    unreadable: list[str] = []
    for file in evenly(files, _SAMPLED):
        path = str(root / file)
        try:
            sizes.append(read_image_size(path))
            with Image.open(path) as image:
                modes[image.mode] += 1
        except (DataError, OSError):
            unreadable.append(file)
    if not sizes:
        return None
    median = (median_low(height for height, _ in sizes), median_low(width for _, width in sizes))
    by_area = sorted(sizes, key=lambda size: size[0] * size[1])
    shapes = sorted(width / height for height, width in sizes)
    proportions = (shapes[0], shapes[-1])
    is_gray = modes.keys() <= _GRAY
    return ImageSample(len(files), median, by_area[0], by_area[-1], proportions, is_gray, tuple(unreadable))


def fitting_batch_size(num_samples: int, most: int = 64) -> int:
    """A power of two, at least 4, that gives at least ten steps per epoch."""
    size = 4
    while size * 2 <= most and num_samples / (size * 2) >= 10:
        size *= 2
    return size


def _down_to(edge: int, multiple: int) -> int:
    return max(multiple, edge // multiple * multiple)
