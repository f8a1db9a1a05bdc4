"""Small volumes written as people's tools write them, for the tests of their sources."""

from pathlib import Path

import nibabel
import numpy as np

SPACINGS = (2.0, 3.0, 5.0)  # right, anterior, superior


def counted(shape=(4, 5, 6), dtype=np.int16):
    """A volume, right-anterior-superior, in which every voxel differs."""
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def save_nifti(path, voxels, orientation="RAS", spacings=SPACINGS, origin=(0, 0, 0), slope=None):
    """Writes right-anterior-superior voxels as a file whose axes point as `orientation` says."""
    affine = np.diag([*spacings, 1.0])
    affine[:3, 3] = origin
    image = nibabel.Nifti1Image(voxels, affine)
    if slope is not None:
        image.header.set_slope_inter(*slope)
    wanted = nibabel.orientations.axcodes2ornt(orientation)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), wanted)), path)
    return path


def as_nibabel_says(path: Path):
    """The voxels of a file in the canon: nibabel's nearest to right-anterior-superior, as (z, y, x)."""
    return np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj).transpose(2, 1, 0)
