"""Writes `hdf5/digits.h5`: all 1,797 of scikit-learn's handwritten digits, compressed in chunks of 64.

The data sets are `images`, (1797, 8, 8), uint8, the original values from 0 to 16 times 15; and `labels`, (1797,).

Source: Alpaydin and Kaynak, 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
CC BY 4.0; as scikit-learn distributes it.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from sklearn.datasets import load_digits

FILE = Path(__file__).parent / "hdf5" / "digits.h5"


def main() -> None:
    """Writes the file."""
    digits = load_digits()
    FILE.parent.mkdir(exist_ok=True)
    with h5py.File(FILE, "w") as file:
        images = (digits.images * 15).astype(np.uint8)
        file.create_dataset("images", data=images, chunks=(64, 8, 8), compression="gzip", shuffle=True)
        file.create_dataset("labels", data=digits.target.astype(np.uint8))


if __name__ == "__main__":
    main()
