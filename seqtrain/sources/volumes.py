"""The source `volumes`: three-dimensional pictures as NIfTI files or arrays, with masks, labels and patients."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.errors import MOST_TOLD, ConfigError, DataError, one_of
from seqtrain.registry import sources
from seqtrain.sources.base import Paths
from seqtrain.sources.file_listing import MaskNames, by_stem, stem_and_extension
from seqtrain.sources.manifest_csv import read_table
from seqtrain.sources.mask_source import count_classes
from seqtrain.sources.nifti import nifti_volume, save_mask
from seqtrain.sources.spacing import Resampling
from seqtrain.sources.volume_cache import VolumeCache
from seqtrain.sources.volume_file import VolumeFile, npy_volume, whole
from seqtrain.sources.volume_list import EXTENSIONS, list_table, list_volumes
from seqtrain.sources.volume_mask import as_ids, not_in_place, spread_voxels
from seqtrain.sources.volume_source import Foreground, Mask, Shape, Spacing, VolumeSource, Voxels, Window
from seqtrain.types import Positive

Millimetres = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SpacingMm = Annotated[tuple[Millimetres, Millimetres, Millimetres], Field(description="[z, y, x] in millimetres")]

_DEFAULT_COLUMNS = ("volume", "patient", None)
_MOST_CLASSES = 256  # ids are uint8


@sources.register("volumes")
class Volumes(VolumeSource):
    """Volumes, such as CT or MRI, brought to one orientation and, on request, to one spacing.

    Headers are read at the start, voxels when they are asked for: of .nii and .npy files only the part that is wanted,
    while .nii.gz files are decompressed whole and kept while `cache_mb` lasts. In memory the axes are (z, y, x), to
    the patient's superior, anterior and right side; a .npy file is taken to be so.

    Args:
        images: The folder of the volumes: .nii, .nii.gz or .npy files at any depth.
        labels: The folder of their masks, matched by stem: a class id for each voxel, in the volume's shape and place.
        classes: The names of the masks' ids; 0 is the background.
        image_suffix: What the names of the volumes end in besides: "_0000" for `case_1_0000.nii.gz` with the mask
            `case_1.nii.gz`. Other files are passed over.
        label_suffix: What the names of the masks end in besides: "_seg" for `case_1_seg.nii` beside `case_1.nii`.
        unmatched: What to do with a volume without a mask, or a mask without a volume: "error" or "skip". Files that a
            table does not name are passed over anyway.
        table: A CSV file that names the volumes to use, by file or stem, with their patients and perhaps labels.
        volume_column: The table's column of the volumes, relative to `images`.
        patient_column: The table's column of the patients. Without a table, the volumes in one folder below `images`
            are one patient's, and each other volume is a patient of its own.
        label_column: The table's column of the class of each whole volume, for classification.
        spacing_mm: From voxel to voxel, as [z, y, x], that every volume is resampled to while it is read: linear, and
            by nearest neighbour for masks. Default: as stored.
        cache_mb: Memory for decompressed volumes, in each worker process; the latest one is kept, however large it is.

    Raises:
        ConfigError: when labels come without classes or the reverse, columns without a table, or nibabel is missing.
        DataError: when a file is missing, damaged or no volume, a mask's shape or place is not its volume's, or a
            split has a patient on both sides.

    Example:
        source: {name: volumes, images: data/images, labels: data/labels, classes: [background, lesion]}
    """

    classes: tuple[str, ...] | None
    label_classes: tuple[str, ...] | None
    labels: npt.NDArray[np.int64] | None
    groups: npt.NDArray[np.str_]
    has_masks: bool
    mask_names: MaskNames

    def __init__(
        self,
        images: Path,
        labels: Path | None = None,
        classes: list[str] | None = None,
        image_suffix: str = "",
        label_suffix: str = "",
        unmatched: Literal["error", "skip"] = "error",
        table: Path | None = None,
        volume_column: str = "volume",
        patient_column: str = "patient",
        label_column: str | None = None,
        spacing_mm: SpacingMm | None = None,
        cache_mb: Positive = 512,
    ) -> None:
        columns = (volume_column, patient_column, label_column)
        _check_masks_wanted(labels, classes, label_suffix)
        _check_table_wanted(table, columns, unmatched)
        if table is None:
            listed = list_volumes(images, labels, (image_suffix, label_suffix), unmatched == "skip")
        else:
            listed = list_table(table, columns, images, labels, (image_suffix, label_suffix))
        self._table, self._patient_column, self._listed_in = table, patient_column, table or images
        self._spacing_mm = spacing_mm
        self._images = [_volume_file(images / path) for path in listed.images]
        self._image_suffix = image_suffix
        self.mask_names = MaskNames.beside(images, labels, label_suffix)
        self._masks: Sequence[VolumeFile] | None = None
        if labels is not None:
            self._masks = [_volume_file(labels / path) for path in listed.masks or ()]
        self.has_masks = labels is not None
        self._check_masks()
        self._check_spacing()
        self.groups = np.array(listed.patients)
        self.labels, self.label_classes = _class_indices(listed.labels)
        self.classes = self.label_classes if classes is None else tuple(classes)
        self._cache_bytes = cache_mb << 20
        self._cache = VolumeCache(self._cache_bytes)
        self._foreground: dict[int, Foreground] = {}

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = {"volume": str(self._images[index].path), "patient": str(self.groups[index])}
        if self._masks is not None:
            sample["mask"] = str(self._masks[index].path)
        return sample if self.labels is None else {**sample, "label": int(self.labels[index])}

    @property
    def files(self) -> tuple[Paths, ...]:
        """The volumes, and their masks where there are some."""
        return tuple([str(file.path) for file in group] for group in (self._images, self._masks) if group)

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The volumes of some files and folders, read as these are; their masks and labels are all zero.

        Raises:
            DataError: when an input is no volume, or a folder holds none.
        """
        other = copy.copy(self)
        for path in inputs:
            if not path.is_dir() and stem_and_extension(path.name)[1] not in EXTENSIONS:
                raise DataError("is no volume that can be read", where=path, expected=one_of(EXTENSIONS))
        listed = [[each / path for path in self._volumes_below(each)] if each.is_dir() else [each] for each in inputs]
        other._images = [_volume_file(path) for path in itertools.chain(*listed)]
        other._masks, other._table = None, None
        other._check_spacing()
        other.groups = np.array([file.path.name for file in other._images])
        other.labels = None if self.labels is None else np.zeros(len(other._images), np.int64)
        other._cache, other._foreground = VolumeCache(self._cache_bytes), {}
        return other

    def _volumes_below(self, folder: Path) -> list[str]:
        """The volumes of a folder; those that are masks by their names are left out."""
        volumes = by_stem(folder, EXTENSIONS, self._image_suffix, "volumes")
        return self.mask_names.images_of(folder, list(volumes.values()))

    def shape(self, index: int) -> Shape:
        """The volume's shape, (depth, height, width), in the spacing that it is read in."""
        return self._resampling(index).shape

    def spacing_mm(self, index: int) -> Spacing:
        """From voxel to voxel along (z, y, x), as the volume is read; 1 for an array."""
        return self._spacing_mm or self._images[index].spacing_mm

    def read(self, index: int, window: Window | None = None) -> Voxels:
        """Voxels, integers as stored or float32; perhaps a view that must not be written to.

        Args:
            index: Of the volume.
            window: The part to read, inside the volume. Default: all of it.

        Raises:
            DataError: when the file is damaged or truncated, or holds NaN.
        """
        resampling = self._resampling(index)
        window = window or whole(resampling.shape)
        file = self._images[index]
        if resampling.is_identity:
            return self._part(file, window)
        return resampling.linear(self._part(file, resampling.needed(window)), window)

    def read_mask(self, index: int, window: Window | None = None) -> Mask:
        """The ids of the same voxels, uint8.

        Raises:
            DataError: when the file is damaged or truncated, or holds an id outside the classes.
        """
        if not self.has_masks:
            raise ConfigError("the volumes have no masks", fix="name their folder with `labels:` in the source")
        resampling = self._resampling(index)
        window = window or whole(resampling.shape)
        if self._masks is None:
            return np.zeros([part.stop - part.start for part in window], np.uint8)
        return resampling.nearest(self._ids(self._masks[index], resampling.needed(window)), window)

    def save_mask(self, index: int, mask: Mask, path: Path) -> None:
        """Writes a mask in the place and the format of a volume's file.

        Args:
            index: Of the volume.
            mask: Ids in the shape that the volume is read in.
            path: To write; with the extension of the volume's file.
        """
        file = self._images[index]
        stored = self._resampling(index).undone(mask)
        if file.affine is None:
            with path.open("wb") as out:
                np.save(out, stored)
        else:
            save_mask(path, stored, file)

    def some_voxels(self, index: int) -> Voxels:
        """Voxels as stored, in a row: a part that is quickly read, spread evenly over the volume, to measure it by.

        Raises:
            DataError: when the file is damaged or truncated, or they hold NaN.
        """
        file = self._images[index]
        return np.concatenate([self._part(file, plane).reshape(-1) for plane in file.spread_planes()])

    def foreground(self, index: int) -> Foreground:
        """By the id of each class but the background that the mask holds: some of its voxels, (n, 3), as (z, y, x)."""
        if index not in self._foreground:
            self._foreground[index] = spread_voxels(self.read_mask(index), len(self.classes or ()))
        return self._foreground[index]

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """How many voxels of each class the masks of some volumes hold."""
        return count_classes(self, indices)

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """The patients, or another column of the table, for a split by group.

        Raises:
            ConfigError: when there is no table, and it is not the patients.
        """
        if name in ("patient", self._patient_column):
            return self.groups
        if self._table is None:
            raise ConfigError(
                f"volumes without a table have no column '{name}'",
                expected=one_of(["patient"]),
                fix="name the CSV file with `table:`",
            )
        return np.array(read_table(self._table, [name]).columns[0])

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """All of `train`, where no patient is on both sides.

        Raises:
            DataError: when one is.
        """
        both = np.intersect1d(self.groups[train], self.groups[val])
        if both.size:
            raise DataError(
                f"patient '{both[0]}' is on both sides of the split",
                where=self._listed_in,
                expected="each patient either in training or in validation",
                received=f"{both.size} of {np.unique(self.groups).size} patients on both sides",
                fix="split: {train: ..., by: group}",
            )
        return train

    def describe(self, index: int) -> str:
        """The volume's file."""
        return str(self._images[index].path)

    def _resampling(self, index: int) -> Resampling:
        file = self._images[index]
        return Resampling(file.shape, file.spacing_mm, self._spacing_mm)

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
        mistakes = [
            mistake
            for image, mask in zip(self._images, self._masks or self._images, strict=True)
            if (mistake := not_in_place(image, mask)) is not None
        ]
        if mistakes:
            raise DataError(mistakes[:MOST_TOLD])

    def _check_spacing(self) -> None:
        unknown = [file.path for file in self._images if file.affine is None]
        if self._spacing_mm is not None and unknown:
            raise DataError(
                "a .npy file does not say its spacing, so it cannot be resampled",
                where=unknown[0],
                fix="leave spacing_mm out, or save the volumes as NIfTI",
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_foreground": {}}


def _check_masks_wanted(labels: Path | None, classes: list[str] | None, label_suffix: str) -> None:
    if labels is None and (classes is not None or label_suffix):
        raise ConfigError(
            "classes and label_suffix are for masks, and there are no masks", fix="name their folder with `labels:`"
        )
    if labels is not None and not 2 <= len(classes or ()) <= _MOST_CLASSES:
        raise ConfigError(
            "labels needs classes: the names of the masks' ids, the background first",
            expected=f"2 to {_MOST_CLASSES} names",
            received=str(classes),
            fix="classes: [background, lesion]",
        )
    if classes is not None and len(set(classes)) < len(classes):
        raise ConfigError("classes: a name is given twice", received=str(classes), fix="name every class once")


def _check_table_wanted(table: Path | None, columns: tuple[str, str, str | None], unmatched: str) -> None:
    if table is None and columns != _DEFAULT_COLUMNS:
        raise ConfigError("columns are named, and there is no table", fix="name the CSV file with `table:`")
    if table is not None and unmatched == "skip":
        raise ConfigError(
            "unmatched: skip is for folders; here the table says which volumes to use",
            fix="leave unmatched out, and the rows of volumes without a mask too",
        )


def _volume_file(path: Path) -> VolumeFile:
    return npy_volume(path) if path.suffix.lower() == ".npy" else nifti_volume(path)


def _class_indices(labels: tuple[str, ...] | None) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Class indices in the order of the names: of the numbers, where all are whole numbers."""
    if labels is None:
        return None, None
    names = set(labels)
    ordered = sorted(names, key=int if all(name.isdecimal() for name in names) else str)
    index = {name: number for number, name in enumerate(ordered)}
    return np.array([index[name] for name in labels], dtype=np.int64), tuple(ordered)
