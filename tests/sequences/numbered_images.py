"""Image folders whose samples can be told by their pixels: every pixel of sample `i` has the value `i`."""

from pathlib import Path

import numpy as np
from PIL import Image

from seqtrain.sources.image_folder import ImageFolderSource


def numbered_images(folder: Path, counts: list[int]) -> ImageFolderSource:
    """A source with so many samples in each class, of 4x4 pixels."""
    number = 0
    for label, count in enumerate(counts):
        (folder / f"class_{label}").mkdir(parents=True)
        for copy in range(count):
            Image.fromarray(np.full((4, 4), number, np.uint8)).save(folder / f"class_{label}" / f"{copy:03d}.png")
            number += 1
    return ImageFolderSource(folder)


def shown(field: np.ndarray) -> list[int]:
    """The samples that one field of a batch shows."""
    pixels = field.reshape(len(field), -1)
    assert (pixels == pixels[:, :1]).all()
    return pixels[:, 0].tolist()
