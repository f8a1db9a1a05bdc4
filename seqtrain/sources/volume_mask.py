"""Checks masks of volumes: they must have the volume's size and position, and contain only ids of classes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, Mistake
from seqtrain.sources.volume_file import VolumeFile
from seqtrain.sources.volume_source import Foreground, Mask, Voxels

_MOST_FOREGROUND = 1000  # voxels of a class that are kept
_MOST_OF_A_STEP = 0.51  # half a step between stored numbers, and what float32 adds
_SAME_PLACE = 0.1  # of a voxel: what rounding in headers may move a mask against its volume


def not_in_place(image: VolumeFile, mask: VolumeFile) -> Mistake | None:
    """The mistake of a mask whose position differs from its volume's; None if it is the same."""
    if image.shape != mask.shape:
        return Mistake(
            "the mask has another shape than its volume",
            str(mask.path),
            f"{image.shape}, as {image.path}",
            f"{mask.shape}",
            "draw or resample the mask on the volume's own voxels",
        )
    if image.affine is None or mask.affine is None:
        if image.affine is mask.affine:
            return None
        return Mistake(
            "one of mask and volume is an array without an affine, so nothing says that their axes are the same",
            str(mask.path),
            received=f"the volume {image.path}",
            fix="save both as NIfTI, or both as .npy",
        )
    corners = np.array([[*np.unravel_index(n, (2, 2, 2)), 1] for n in range(8)]) * [*np.array(image.shape)[::-1] - 1, 1]
    apart_mm = image.unit_mm * float(np.abs(corners @ (image.affine - mask.affine).T).max())  # many masks name no unit
    if apart_mm <= _SAME_PLACE * min(image.spacing_mm):
        return None
    return Mistake(
        "the mask lies elsewhere than its volume: their affines differ",
        str(mask.path),
        f"the affine of {image.path}",
        f"corners that lie up to {apart_mm:.3g} mm apart",
        "draw or resample the mask on the volume's own voxels, or correct the header that is wrong",
    )


def as_ids(file: VolumeFile, voxels: Voxels, classes: tuple[str, ...]) -> Mask:
    """The voxels of a mask as ids.

    Floats that were saved as scaled integers come back beside the whole numbers that they were: an id is what a voxel
    misses by no more than that.

    Raises:
        DataError: when one is no id of a class.
    """
    rounding = _MOST_OF_A_STEP * abs(file.slope) if abs(file.slope) < 1 / 2 else 0
    ids: Mask = np.clip(np.rint(voxels) if rounding else voxels, 0, 255).astype(np.uint8)
    wrong = (ids >= len(classes)) | (np.abs(voxels - ids) > rounding if rounding else ids != voxels)
    if wrong.any():
        values, counts = np.unique(voxels[wrong], return_counts=True)
        shown = ", ".join(f"{value:g} ({count} voxels)" for value, count in zip(values[:5], counts[:5], strict=True))
        raise DataError(
            "the mask holds ids outside the classes",
            where=file.path,
            expected=f"whole numbers from 0 to {len(classes) - 1}: {', '.join(classes)}",
            received=shown + (f" and {len(values) - 5} other values" if len(values) > 5 else ""),
            fix="name every class in `classes`, or correct the mask",
        )
    return ids


def spread_voxels(mask: Mask, num_classes: int) -> Foreground:
    """By the id of each class but the background: its voxels, or a thousand of them spread evenly over it."""
    found: dict[int, npt.NDArray[np.int32]] = {}
    for number in range(1, num_classes):
        flat = np.flatnonzero(mask == number)
        if flat.size:
            chosen = flat[:: math.ceil(flat.size / _MOST_FOREGROUND)]
            found[number] = np.stack(np.unravel_index(chosen, mask.shape), axis=1).astype(np.int32)
    return found
