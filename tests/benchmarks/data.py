"""Real photographs, cut to the files that the benchmarks read.

The photographs come with scikit-image and scikit-learn (their licences are told there); nothing is fetched. Cuts are
made at about the photographs' own scale, so that the JPEG files have as many bytes as photographs of their size do; the
large ones are sheets of many cuts for the same reason: what is merely enlarged decodes faster than a photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

_CLASSES = 10
_HEIGHT, _WIDTH = 375, 500
_SHEET = 8  # cuts on each side of a large picture: 4000 x 3000 pixels


@dataclass(frozen=True)
class Images:
    """What an image workload reads and makes.

    Args:
        folder: Of class folders.
        image_size: Height and width that batches have.
        batch_size: Images in a batch.
        workers: Threads or processes.
        seconds: How long a round lasts.
    """

    folder: Path
    image_size: tuple[int, int]
    batch_size: int
    workers: int
    seconds: float

    @property
    def paths(self) -> list[str]:
        """The files, in the order in which everybody reads them."""
        return sorted(str(path) for path in self.folder.glob("*/*.*"))

    @property
    def labels(self) -> np.ndarray:
        """Their classes."""
        names = [Path(path).parent.name for path in self.paths]
        return np.unique(names, return_inverse=True)[1].astype(np.int32)


def photographs(data: Path, count: int, extension: str = "jpg") -> Path:
    """A folder of `count` photographs of 500x375 in class folders, made when it is not there."""
    return _written(data / f"{extension}-{count}", count, extension, _cut)


def large_photographs(data: Path, count: int) -> Path:
    """A folder of `count` JPEG of 12 megapixels."""
    return _written(data / f"large-{count}", count, "jpg", _sheet)


def _written(folder: Path, count: int, extension: str, picture: object) -> Path:
    done = folder.with_suffix(".done")
    if done.exists():
        return folder
    generator = np.random.default_rng(count)
    for number in range(count):
        path = folder / f"class_{number % _CLASSES}" / f"{number:05d}.{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(generator).save(path, quality=90)
    done.touch()
    return folder


def _cut(generator: np.random.Generator) -> Image.Image:
    photograph = _photographs()[generator.integers(len(_photographs()))]
    room = min(photograph.width / _WIDTH, photograph.height / _HEIGHT)
    scale = room * generator.uniform(0.7, 1.0)
    width, height = int(_WIDTH * scale), int(_HEIGHT * scale)
    left = int(generator.integers(photograph.width - width + 1))
    top = int(generator.integers(photograph.height - height + 1))
    box = (left, top, left + width, top + height)
    cut = photograph.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS, box=box)
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if generator.integers(2) else cut


def _sheet(generator: np.random.Generator) -> Image.Image:
    sheet = Image.new("RGB", (_SHEET * _WIDTH, _SHEET * _HEIGHT))
    for number in range(_SHEET**2):
        sheet.paste(_cut(generator), (number % _SHEET * _WIDTH, number // _SHEET * _HEIGHT))
    return sheet


@cache
def _photographs() -> list[Image.Image]:
    from skimage import data
    from sklearn.datasets import load_sample_images

    arrays = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.hubble_deep_field()]
    arrays += [data.stereo_motorcycle()[0], *load_sample_images().images]
    return [Image.fromarray(array) for array in arrays]
