"""Writes photos/: crops of two photographs as RGB JPEG files of 64x64 pixels, and manifest.csv.

    python data_samples/make_photos.py

The photographs are scikit-learn's sample images: china.jpg by danielbuechele and flower.jpg by vultilion, both on
Flickr under CC BY 2.0. Crops do not overlap. The class is the photograph; the group is the row of crops within it, so
that a split by group keeps neighbours on one side.
"""

import csv
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

FOLDER = Path(__file__).parent / "photos"
SIDE = 64


def main() -> None:
    """Writes the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    samples = load_sample_images()
    rows = []
    for path, image in zip(samples.filenames, samples.images, strict=True):
        label = Path(path).stem
        height, width = image.shape[:2]
        for row in range(height // SIDE):
            for column in range(width // SIDE):
                name = f"{label}_{row}_{column}.jpg"
                crop = image[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
                Image.fromarray(crop).save(FOLDER / name, quality=85)
                rows.append((name, label, f"{label}_{row}"))
    with (FOLDER / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "group"))
        writer.writerows(sorted(rows))


if __name__ == "__main__":
    main()
