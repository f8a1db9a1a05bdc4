"""Writes volumes/: 32 generated scans of 24 heads as NIfTI files, masks of brain and lesions, and patients.csv.

    python data_samples/make_volumes.py

Nothing in them comes from a patient. A head is an ellipsoid of bright skull around a darker brain with a smooth texture
and noise; half of the patients have one to three bright ellipsoid lesions in it. Some were scanned twice. As from real
scanners, spacings and the order and direction of the axes differ from file to file, and the table of patients says
nothing of either. Intensities are int16 in steps of 8, which compress well. Two scans are not compressed.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import nibabel
import numpy as np

FOLDER = Path(__file__).parent / "volumes"
NUM_PATIENTS, NUM_SCANNED_TWICE, NUM_UNCOMPRESSED = 24, 8, 2
EXTENT_MM = 64
SPACINGS_MM = ((2.5, 2.5, 2.5), (2.5, 2.5, 4.0), (3.0, 3.0, 2.5), (2.5, 3.0, 3.0))  # right, anterior, superior
ORIENTATIONS = ("RAS", "LPS", "LAS", "PSR", "SLA")
BRAIN, LESION = 1, 2


def main() -> None:
    """Writes the files."""
    for folder in ("images", "labels"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    rows = []
    for patient in range(NUM_PATIENTS):
        anatomy = np.random.default_rng((1, patient))
        lesions = lesions_of(anatomy) if patient % 2 else []
        radii = anatomy.uniform((24, 26, 24), (28, 30, 28))
        for scan in range(2 if patient < NUM_SCANNED_TWICE else 1):
            number = len(rows)
            volume, mask, affine = scanned(radii, lesions, number)
            name = f"scan_{number:02d}"
            ending = ".nii" if number < NUM_UNCOMPRESSED else ".nii.gz"
            orientation = ORIENTATIONS[number % len(ORIENTATIONS)]
            save(volume, affine, orientation, FOLDER / "images" / f"{name}{ending}")
            save(mask, affine, orientation, FOLDER / "labels" / f"{name}{ending}")
            rows.append((f"{name}{ending}", f"patient_{patient:02d}", "lesion" if lesions else "healthy", scan + 1))
    with (FOLDER / "patients.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("volume", "patient", "diagnosis", "visit"))
        writer.writerows(rows)


def lesions_of(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Middles and radii of ellipsoids within the brain, in millimetres."""
    return [(rng.uniform(-9, 9, 3), rng.uniform(6, 10, 3)) for _ in range(rng.integers(1, 4))]


def scanned(
    radii: np.ndarray, lesions: list[tuple[np.ndarray, np.ndarray]], number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxels, mask and affine of one scan, right-anterior-superior."""
    rng = np.random.default_rng((2, number))
    spacing = np.array(SPACINGS_MM[number % len(SPACINGS_MM)])
    shape = np.floor(EXTENT_MM / spacing).astype(int)
    start = -(shape - 1) * spacing / 2
    place = np.stack(np.meshgrid(*(s + np.arange(n) * d for s, n, d in zip(start, shape, spacing, strict=True)),
                                 indexing="ij"), axis=-1)  # fmt: skip
    depth = np.sqrt(((place / radii) ** 2).sum(axis=-1))  # 1 at the skull
    waves = np.sin(place @ rng.normal(0, 0.12, (3, 4)) + rng.uniform(0, 6, 4)).sum(axis=-1)
    values = np.where(depth < 1, 300 + 25 * waves, 0.0)
    values[(depth >= 0.88) & (depth < 1)] = 700
    mask = (depth < 0.88).astype(np.uint8) * BRAIN
    for middle, lesion_radii in lesions:
        inside = (((place - middle) / lesion_radii) ** 2).sum(axis=-1) < 1
        values[inside], mask[inside] = 520, LESION
    values += rng.normal(0, 25, values.shape)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = start
    return (8 * np.rint(values / 8)).astype(np.int16), mask, affine


def save(voxels: np.ndarray, affine: np.ndarray, orientation: str, path: Path) -> None:
    """Writes a file whose axes point as `orientation` says; the compressed bytes hold neither name nor time."""
    image = nibabel.Nifti1Image(voxels, affine)
    wanted = nibabel.orientations.axcodes2ornt(orientation)
    content = image.as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), wanted)
    ).to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


if __name__ == "__main__":
    main()
