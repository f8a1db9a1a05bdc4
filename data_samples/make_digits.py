"""Writes digits/: 1,000 handwritten digits as gray PNG files of 64x64 pixels, in ten class folders.

    python data_samples/make_digits.py

They are the first 100 of each class of scikit-learn's `load_digits`, a copy of the test set of the UCI data set
"Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998, CC BY 4.0, doi 10.24432/C50P49). Its
pictures have 8x8 pixels of 0 to 16, which are scaled by 8 (Lanczos) and to 0 to 255. A file's name is the sample's
number there.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent / "digits"
SIZE = (64, 64)
PER_CLASS = 100


def main() -> None:
    """Writes the files."""
    digits = load_digits()
    for label in range(10):
        folder = FOLDER / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        for number in np.flatnonzero(digits.target == label)[:PER_CLASS].tolist():
            pixels = np.rint(digits.images[number] * 255 / 16).astype(np.uint8)
            picture = Image.fromarray(pixels).resize(SIZE, Image.Resampling.LANCZOS)
            picture.save(folder / f"{number:04d}.png", optimize=True)


if __name__ == "__main__":
    main()
