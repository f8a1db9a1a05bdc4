"""Writes `csv_pixels/digits.csv`: 400 of scikit-learn's handwritten digits, 40 of each, as a label and 784 pixels.

The originals are 8x8 with values from 0 to 16; here they are scaled to 20x20 inside a frame of 28x28, with values from
0 to 255, like MNIST's.

Source: Alpaydin and Kaynak, 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
CC BY 4.0; as scikit-learn distributes it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

NUM_OF_EACH = 40
FILE = Path(__file__).parent / "csv_pixels" / "digits.csv"


def main() -> None:
    """Writes the file."""
    digits = load_digits()
    chosen = np.sort(np.concatenate([np.flatnonzero(digits.target == digit)[:NUM_OF_EACH] for digit in range(10)]))
    lines = ["label," + ",".join(f"pixel{position}" for position in range(28 * 28))]
    for index in chosen:
        image = cv2.resize(digits.images[index] * (255 / 16), (20, 20), interpolation=cv2.INTER_CUBIC)
        pixels = np.pad(np.clip(image, 0, 255).round().astype(int), 4).ravel()
        lines.append(f"{digits.target[index]}," + ",".join(map(str, pixels)))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
