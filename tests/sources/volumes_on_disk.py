"""Small volumes written as people's tools write them, for the tests of their sources."""

from pathlib import Path

import nibabel
import numpy as np

from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volumes import Volumes

CLASSES = ["background", "brain", "lesion"]
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


def masked(shape=(4, 5, 6)):
    """A mask, right-anterior-superior, with 8 voxels of class 1 and 1 of class 2."""
    mask = np.zeros(shape, np.uint8)
    mask[1:3, 2:4, 3:5] = 1
    mask[0, 0, 5] = 2
    return mask


def two_scans(folder):
    """Two volumes and their masks, in unlike orientations: one compressed, one not."""
    save_nifti(folder / "images" / "a.nii", counted(), "LPS")
    save_nifti(folder / "labels" / "a.nii", masked(), "RAS")
    save_nifti(folder / "images" / "b.nii.gz", counted(), "SLA")
    save_nifti(folder / "labels" / "b.nii.gz", masked(), "PIR")
    return folder


def opened(folder, **arguments):
    return Volumes(VolumeFiles(folder / "images", folder / "labels", CLASSES, **arguments))


def table(folder, *rows):
    (folder / "patients.csv").write_text("\n".join(rows) + "\n")
    return folder / "patients.csv"
