"""Checks masks of volumes: they must have the volume's shape and position, and contain only ids of classes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, Mistake
from seqtrain.sources.volume_file import VolumeFile
from seqtrain.sources.volume_source import Foreground, Mask, Voxels

_MOST_FOREGROUND = 1000  # voxels per class
_MAX_ROUNDING = 0.51  # of the step between stored numbers: half a step, and the rounding of float32
_MAX_SHIFT = 0.1  # of a voxel, by which rounding in headers may move a mask against its volume


def position_mistake(image: VolumeFile, mask: VolumeFile) -> Mistake | None:
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
    apart_mm = image.unit_mm * float(np.abs(corners @ (image.affine - mask.affine).T).max())  # many masks have no unit
    if apart_mm <= _MAX_SHIFT * min(image.spacing_mm):
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

    Floats that were saved as scaled integers differ from whole numbers by the rounding, so voxels within this distance
    of an id count as the id.

    Raises:
        DataError: when a voxel is not the id of a class.
    """
    rounding = _MAX_ROUNDING * abs(file.slope) if abs(file.slope) < 1 / 2 else 0
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


def sample_foreground(mask: Mask, num_classes: int) -> Foreground:
    """At most a thousand evenly spaced voxels of each class except the background, by the class id."""
    found: dict[int, npt.NDArray[np.int32]] = {}
    for number in range(1, num_classes):
        flat = np.flatnonzero(mask == number)
        if flat.size:
            chosen = flat[:: math.ceil(flat.size / _MOST_FOREGROUND)]
            found[number] = np.stack(np.unravel_index(chosen, mask.shape), axis=1).astype(np.int32)
    return found
