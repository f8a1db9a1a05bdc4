"""The source `volumes`: three-dimensional images as NIfTI files or arrays, with masks, labels and patients."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_SHOWN, ConfigError, DataError, one_of
from seqtrain.registry import sources
from seqtrain.sources.base import Paths
from seqtrain.sources.file_listing import MaskNames, by_stem, stem_and_extension
from seqtrain.sources.mask_source import count_classes
from seqtrain.sources.nifti import open_volume, save_mask
from seqtrain.sources.resampling import Resampling
from seqtrain.sources.table_file import read_texts
from seqtrain.sources.volume_cache import VolumeCache
from seqtrain.sources.volume_file import VolumeFile, full_window
from seqtrain.sources.volume_list import EXTENSIONS, VolumeFiles
from seqtrain.sources.volume_mask import as_ids, position_mistake, sample_foreground
from seqtrain.sources.volume_source import Foreground, Mask, Shape, Spacing, VolumeSource, Voxels, Window


@sources.register("volumes")
class Volumes(VolumeSource):
    """Volumes, such as CT or MRI, reoriented to the same axes and, on request, resampled to the same spacing.

    Headers are read at the start, voxels when they are needed: only the needed part of .nii and .npy files, while
    .nii.gz files are decompressed as a whole and cached in `cache_mb`. In memory the axes are (z, y, x), to the
    patient's superior, anterior and right side; the axes of a .npy file must be the same.

    Args:
        listing: See `VolumeFiles`.

    Raises:
        ConfigError: when labels are given without classes or the reverse, columns without a table, or nibabel is not
            installed.
        DataError: when a file is missing, damaged or not a volume, a mask's shape or position is not its volume's, or a
            patient is on both sides of the split.

    Example:
        source: {name: volumes, images: data/images, labels: data/labels, classes: [background, lesion]}
    """

    classes: tuple[str, ...] | None
    label_classes: tuple[str, ...] | None
    labels: npt.NDArray[np.int64] | None
    groups: npt.NDArray[np.str_]
    has_masks: bool
    mask_names: MaskNames

    def __init__(self, listing: VolumeFiles) -> None:
        listed = listing.listed()
        self._listing = listing
        self._images = [open_volume(listing.images / path) for path in listed.images]
        self._masks: list[VolumeFile] | None = None
        if listing.labels is not None:
            self._masks = [open_volume(listing.labels / path) for path in listed.masks or ()]
        self.has_masks = listing.labels is not None
        self.mask_names = MaskNames.beside(listing.images, listing.labels, listing.label_suffix)
        self._check_masks()
        self._check_spacing()
        self.groups = np.array(listed.patients)
        self.labels, self.label_classes = _class_indices(listed.labels)
        self.classes = self.label_classes if listing.classes is None else tuple(listing.classes)
        self._clear_caches()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = {"volume": str(self._images[index].path), "patient": str(self.groups[index])}
        if self._masks is not None:
            sample["mask"] = str(self._masks[index].path)
        return sample if self.labels is None else {**sample, "label": int(self.labels[index])}

    @property
    def files(self) -> tuple[Paths, ...]:
        """The volumes, and their masks if there are any."""
        return tuple([str(file.path) for file in group] for group in (self._images, self._masks) if group)

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The volumes of some files and folders, with the same options; their masks and labels are all zero.

        Raises:
            DataError: when an input is not a volume, or a folder holds none.
        """
        other = copy.copy(self)
        other._images = [open_volume(path) for path in itertools.chain(*map(self._volumes_of, inputs))]
        other._masks = None
        other._check_spacing()
        other.groups = np.array([file.path.name for file in other._images])
        other.labels = None if self.labels is None else np.zeros(len(other._images), np.int64)
        other._clear_caches()
        return other

    def shape(self, index: int) -> Shape:
        """The volume's shape, (depth, height, width), in the spacing that it is read in."""
        return self._resampling(index).shape

    def spacing_mm(self, index: int) -> Spacing:
        """The distances between voxels along (z, y, x), in millimetres, after resampling; 1 for an array."""
        return self._listing.spacing_mm or self._images[index].spacing_mm

    def read(self, index: int, window: Window | None = None) -> Voxels:
        """See `VolumeSource`."""
        resampling = self._resampling(index)
        window = window or full_window(resampling.shape)
        file = self._images[index]
        if resampling.is_identity:
            return self._part(file, window)
        return resampling.linear(self._part(file, resampling.needed(window)), window)

    def read_mask(self, index: int, window: Window | None = None) -> Mask:
        """See `VolumeSource`."""
        if not self.has_masks:
            raise ConfigError("the volumes have no masks", fix="name their folder with `labels:` in the source")
        resampling = self._resampling(index)
        window = window or full_window(resampling.shape)
        if self._masks is None:
            return np.zeros([part.stop - part.start for part in window], np.uint8)
        return resampling.nearest(self._ids(self._masks[index], resampling.needed(window)), window)

    def save_mask(self, index: int, mask: Mask, path: Path) -> None:
        """Writes a mask with the axes, the position and the format of a volume's file.

        Args:
            index: The index of the volume.
            mask: The ids, in the shape that the volume is read in.
            path: The file to write, with the extension of the volume's file.
        """
        file = self._images[index]
        stored = self._resampling(index).inverse(mask)
        if file.affine is None:
            with path.open("wb") as out:
                np.save(out, stored)
        else:
            save_mask(path, stored, file)

    def some_voxels(self, index: int) -> Voxels:
        """See `VolumeSource`."""
        file = self._images[index]
        return np.concatenate([self._part(file, plane).reshape(-1) for plane in file.sampled_planes()])

    def foreground(self, index: int) -> Foreground:
        """See `VolumeSource`."""
        if index not in self._foreground:
            self._foreground[index] = sample_foreground(self.read_mask(index), len(self.classes or ()))
        return self._foreground[index]

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The number of voxels of each class in the masks of some volumes."""
        return count_classes(self, indices)

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """The patients, or another column of the table, for a split by group.

        Raises:
            ConfigError: when there is no table, and another column than the patients is asked for.
        """
        if name in ("patient", self._listing.patient_column):
            return self.groups
        if self._listing.table is None:
            raise ConfigError(
                f"volumes without a table have no column '{name}'",
                expected=one_of(["patient"]),
                fix="name the CSV file with `table:`",
            )
        return np.array(read_texts(self._listing.table, [name]).texts[name])

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """All of `train`; checks that no patient is on both sides.

        Raises:
            DataError: when one is.
        """
        both = np.intersect1d(self.groups[train], self.groups[val])
        if both.size:
            raise DataError(
                f"patient '{both[0]}' is on both sides of the split",
                where=self._listing.table or self._listing.images,
                expected="each patient either in training or in validation",
                received=f"{both.size} of {np.unique(self.groups).size} patients on both sides",
                fix="split: {train: ..., by: group}",
            )
        return train

    def describe(self, index: int) -> str:
        """The volume's file."""
        return str(self._images[index].path)

    def _clear_caches(self) -> None:
        self._cache = VolumeCache(self._listing.cache_mb << 20)
        self._foreground: dict[int, Foreground] = {}

    def _volumes_of(self, path: Path) -> list[Path]:
        """A volume, or the volumes of a folder except those that are masks by their names."""
        if path.is_dir():
            volumes = by_stem(path, EXTENSIONS, self._listing.image_suffix, "volumes")
            return [path / file for file in self.mask_names.images_of(path, list(volumes.values()))]
        if stem_and_extension(path.name)[1] not in EXTENSIONS:
            raise DataError("is no volume that can be read", where=path, expected=one_of(EXTENSIONS))
        return [path]

    def _resampling(self, index: int) -> Resampling:
        file = self._images[index]
        return Resampling(file.shape, file.spacing_mm, self._listing.spacing_mm)

    def _part(self, file: VolumeFile, window: Window) -> Voxels:
        if not file.is_compressed:
            return file.read(window)
        return self._cache.get(file.path, file.read)[window]

    def _ids(self, file: VolumeFile, window: Window) -> Mask:
        classes = self.classes or ()
        if not file.is_compressed:
            return as_ids(file, file.read(window), classes)
        ids: Mask = self._cache.get(("ids", file.path), lambda: as_ids(file, file.read(), classes))[window]
        return ids

    def _check_masks(self) -> None:
        pairs = zip(self._images, self._masks or self._images, strict=True)
        mistakes = [mistake for image, mask in pairs if (mistake := position_mistake(image, mask)) is not None]
        if mistakes:
            raise DataError(mistakes[:MOST_SHOWN])

    def _check_spacing(self) -> None:
        unknown = [file.path for file in self._images if file.affine is None]
        if self._listing.spacing_mm is not None and unknown:
            raise DataError(
                "a .npy file does not say its spacing, so it cannot be resampled",
                where=unknown[0],
                fix="leave spacing_mm out, or save the volumes as NIfTI",
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_foreground": {}}


def _class_indices(labels: tuple[str, ...] | None) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Class indices and class names, sorted as numbers if all are whole numbers, otherwise as text."""
    if labels is None:
        return None, None
    names = set(labels)
    ordered = sorted(names, key=int if all(name.isdecimal() for name in names) else str)
    index = {name: number for number, name in enumerate(ordered)}
    return np.array([index[name] for name in labels], dtype=np.int64), tuple(ordered)
