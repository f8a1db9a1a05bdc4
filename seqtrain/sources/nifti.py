"""NIfTI files: reads their headers and writes masks. Voxels are read by `VolumeFile`.

In NIfTI, the first axis varies fastest, so its axes (i, j, k) are the axes (2, 1, 0) of a C-ordered array. The affine
gives their directions. The nearest of the 48 orders and directions of axes is used, as in nibabel's
`as_closest_canonical`: an oblique volume stays oblique, and no voxel is interpolated.

Source: R. W. Cox et al., 2004, A (sort of) new image data format standard: NIfTI-1; the NIfTI-2 header, 2011.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from seqtrain.errors import DataError
from seqtrain.extras import require
from seqtrain.sources.volume_file import VolumeFile, check_voxels, npy_volume
from seqtrain.sources.volume_source import Mask

_UNIT_OF_SPACE = 0b111  # the bits of `xyzt_units` that hold the unit of space
_UNITS_MM = {1: 1000.0, 3: 0.001}  # metres and micrometres; any other code is millimetres, or left unset


def open_volume(path: Path) -> VolumeFile:
    """The volume in a .npy, .nii or .nii.gz file; see `npy_volume` and `nifti_volume`."""
    return npy_volume(path) if path.suffix.lower() == ".npy" else nifti_volume(path)


def nifti_volume(path: Path) -> VolumeFile:
    """The volume in a .nii or .nii.gz file.

    Raises:
        ConfigError: when nibabel is not installed.
        DataError: when the file is missing, damaged or truncated, has more than three axes, or an affine that does not
            give the directions of its axes.
    """
    nibabel = require("nibabel", "nifti", "NIfTI files")
    image = _header(path, nibabel)
    shape = tuple(image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    voxels = image.dataobj
    check_voxels(path, shape, voxels.dtype)
    orientation = _orientation(path, image.affine, nibabel)
    affine = image.affine @ nibabel.orientations.inv_ornt_aff(orientation, shape)
    stored_axis = [int(np.flatnonzero(orientation[:, 0] == axis)[0]) for axis in (2, 1, 0)]  # superior, anterior, right
    z, y, x = stored_axis
    width, height, depth = shape
    volume = VolumeFile(
        path,
        stored_shape=(depth, height, width),
        dtype=voxels.dtype,
        offset=int(voxels.offset),
        axes=(2 - z, 2 - y, 2 - x),
        reversed_axes=(bool(orientation[z, 1] < 0), bool(orientation[y, 1] < 0), bool(orientation[x, 1] < 0)),
        affine=affine,
        unit_mm=_UNITS_MM.get(int(image.header["xyzt_units"]) & _UNIT_OF_SPACE, 1.0),
        slope=float(voxels.slope),
        intercept=float(voxels.inter),
        is_compressed=path.name.lower().endswith(".gz"),
    )
    volume.check_length()
    return volume


def save_mask(path: Path, mask: Mask, like: VolumeFile) -> None:
    """Writes a mask with the axes and the header of a volume.

    Args:
        path: The file to write, which is compressed if the volume is.
        mask: The ids along (z, y, x), in the shape of the volume.
        like: The volume.

    Raises:
        ConfigError: when nibabel is not installed.
    """
    nibabel = require("nibabel", "nifti", "NIfTI files")
    image = _header(like.path, nibabel)
    z, y, x = (slice(None, None, -1 if is_reversed else 1) for is_reversed in like.reversed_axes)
    box = mask[z, y, x].transpose(np.argsort(like.axes))
    header = image.header.copy()
    header.set_data_dtype(mask.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    with path.open("wb") as out:
        content = type(image)(box.transpose(), image.affine, header).to_bytes()
        out.write(gzip.compress(content, mtime=0) if like.is_compressed else content)


def _header(path: Path, nibabel: Any) -> Any:
    try:
        return nibabel.load(path)
    except FileNotFoundError as error:
        raise DataError("no such file", where=path, fix="put it back, or list the data set anew") from error
    except (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.wrapstruct.WrapStructError,
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ) as error:
        raise DataError(
            f"is no readable NIfTI file: {error}",
            where=path,
            expected="a NIfTI-1 or NIfTI-2 header",
            fix="copy or save the file again",
        ) from error


def _orientation(path: Path, affine: Any, nibabel: Any) -> Any:
    orientation = nibabel.io_orientation(affine) if np.isfinite(affine).all() else np.full((3, 2), np.nan)
    if np.isnan(orientation).any():
        raise DataError(
            "the header's affine does not say where the axes point",
            where=path,
            expected="three axes in different directions, of a length above 0",
            received=str(np.asarray(affine)[:3].tolist()),
            fix="save the volume again with its affine",
        )
    return orientation
