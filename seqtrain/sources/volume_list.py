"""Lists volumes with their masks, patients and labels, from two folders and an optional table.

Every volume has a patient, and the volumes of a patient must be on the same side of the split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from seqtrain.errors import MOST_SHOWN, ConfigError, DataError, Mistake, did_you_mean
from seqtrain.signature import argument_group
from seqtrain.sources.class_labels import check_distinct
from seqtrain.sources.file_listing import by_stem, matched_by_stem, stem_and_extension
from seqtrain.sources.table_file import read_texts
from seqtrain.types import Positive

Millimetres = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SpacingMm = Annotated[tuple[Millimetres, Millimetres, Millimetres], Field(description="[z, y, x] in millimetres")]

EXTENSIONS = (".nii", ".nii.gz", ".npy")

_DEFAULT_COLUMNS = ("volume", "patient", None)
_MOST_CLASSES = 256  # ids are uint8


@dataclass(frozen=True)
class VolumeList:
    """A list of volumes.

    Args:
        images: The paths of the volumes below the folder of images.
        masks: The paths of their masks below the folder of masks; None without masks.
        patients: The patient of each volume.
        labels: The class name of each volume; None if whole volumes have no class.
    """

    images: tuple[str, ...]
    masks: tuple[str, ...] | None
    patients: tuple[str, ...]
    labels: tuple[str, ...] | None = None


@argument_group
@dataclass(frozen=True)
class VolumeFiles:
    """The files of volumes, and how they are read.

    Args:
        images: The folder of the volumes: .nii, .nii.gz or .npy files at any depth.
        labels: The folder of their masks, matched by stem: a class id for each voxel, with the volume's shape and
            position.
        classes: The names of the masks' ids; 0 is the background.
        image_suffix: A suffix of the volumes' names, such as "_0000" for `case_1_0000.nii.gz` with the mask
            `case_1.nii.gz`. Files without it are skipped.
        label_suffix: A suffix of the masks' names, such as "_seg" for `case_1_seg.nii` beside `case_1.nii`.
        unmatched: What to do with a volume without a mask, or a mask without a volume: "error" or "skip". Files that a
            table does not name are skipped anyway.
        table: A CSV file that names the volumes to use, by file or stem, with their patients and optional labels.
        volume_column: The table's column of the volumes, relative to `images`.
        patient_column: The table's column of the patients. Without a table, the volumes in one folder below `images`
            belong to one patient, and each other volume to a patient of its own.
        label_column: The table's column of the class of each whole volume, for classification.
        spacing_mm: The spacing [z, y, x] that every volume is resampled to while it is read, linearly, and masks by
            nearest neighbour. Default: as stored.
        cache_mb: The memory for decompressed volumes in each worker process, in MB; the latest volume is kept even if
            it is larger.

    Raises:
        ConfigError: when labels are given without classes or the reverse, or columns without a table.
    """

    images: Path
    labels: Path | None = None
    classes: list[str] | None = None
    image_suffix: str = ""
    label_suffix: str = ""
    unmatched: Literal["error", "skip"] = "error"
    table: Path | None = None
    volume_column: str = "volume"
    patient_column: str = "patient"
    label_column: str | None = None
    spacing_mm: SpacingMm | None = None
    cache_mb: Positive = 512

    def __post_init__(self) -> None:
        if self.labels is None and (self.classes is not None or self.label_suffix):
            raise ConfigError(
                "classes and label_suffix are for masks, and there are no masks",
                fix="name their folder with `labels:`",
            )
        if self.labels is not None and not 2 <= len(self.classes or ()) <= _MOST_CLASSES:
            raise ConfigError(
                "labels needs classes: the names of the masks' ids, the background first",
                expected=f"2 to {_MOST_CLASSES} names",
                received=str(self.classes),
                fix="classes: [background, lesion]",
            )
        if self.classes is not None:
            check_distinct(self.classes)
        if self.table is None and (self.volume_column, self.patient_column, self.label_column) != _DEFAULT_COLUMNS:
            raise ConfigError("columns are named, and there is no table", fix="name the CSV file with `table:`")
        if self.table is not None and self.unmatched == "skip":
            raise ConfigError(
                "unmatched: skip is for folders; here the table says which volumes to use",
                fix="leave unmatched out, and the rows of volumes without a mask too",
            )

    def listed(self) -> VolumeList:
        """The volumes of the table, in its order; without a table, all volumes of the folder, sorted by stem.

        Without a table, a volume in a folder below `images` belongs to the patient with that folder's name.

        Raises:
            DataError: when a folder or the table cannot be read, or a volume is missing, has no mask or no patient, or
                is named twice.
        """
        if self.table is not None:
            return self._from_table(self.table)
        if self.labels is None:
            volumes = by_stem(self.images, EXTENSIONS, self.image_suffix, "volumes")
            return VolumeList(tuple(volumes.values()), None, tuple(map(_default_patient, volumes)))
        suffixes = self.image_suffix, self.label_suffix
        skips = self.unmatched == "skip"
        matched = matched_by_stem((self.images, self.labels), EXTENSIONS, suffixes, skips, ("volumes", "masks"))
        found, masks = zip(*matched.values(), strict=True)
        return VolumeList(found, masks, tuple(map(_default_patient, matched)))

    def _from_table(self, table: Path) -> VolumeList:
        names = [self.volume_column, self.patient_column, *([self.label_column] if self.label_column else [])]
        read = read_texts(table, names)
        places = [read.places.of(row) for row in range(read.num_rows)]
        for name, cells in read.texts.items():
            _raise_if_any(
                [Mistake(f"the {name} is empty", at) for cell, at in zip(cells, places, strict=True) if not cell]
            )
        volumes = by_stem(self.images, EXTENSIONS, self.image_suffix, "volumes")
        masks = None if self.labels is None else by_stem(self.labels, EXTENSIONS, self.label_suffix, "masks")
        stems = list(map(_stem, read.texts[self.volume_column]))
        self._check_stems(dict(zip(places, stems, strict=True)), volumes, masks)
        return VolumeList(
            tuple(volumes[stem] for stem in stems),
            None if masks is None else tuple(masks[stem] for stem in stems),
            tuple(read.texts[self.patient_column]),
            tuple(read.texts[self.label_column]) if self.label_column else None,
        )

    def _check_stems(
        self, named: Mapping[str, str], volumes: Mapping[str, str], masks: Mapping[str, str] | None
    ) -> None:
        """Checks that each stem of a table, by its place, has a volume and a mask and occurs once."""
        mistakes: list[Mistake] = []
        first: dict[str, str] = {}
        for where, stem in named.items():
            if stem not in volumes:
                fix = did_you_mean(stem, volumes) or "add the volume, or remove the row"
                mistakes.append(Mistake(f"there is no volume '{stem}' in {self.images}", where, fix=fix))
            elif masks is not None and stem not in masks:
                fix = "add the mask, or remove the row"
                mistakes.append(Mistake(f"the volume '{stem}' has no mask in {self.labels}", where, fix=fix))
            elif stem in first:
                fix = f"remove this row or {first[stem]}"
                mistakes.append(Mistake(f"the volume '{stem}' is named twice", where, fix=fix))
            first.setdefault(stem, where)
            if len(mistakes) == MOST_SHOWN:  # finding the nearest of all names is slow
                break
        _raise_if_any(mistakes)


def _stem(cell: str) -> str:
    """The stem of a volume that a table names by file or by stem."""
    stem, extension = stem_and_extension(cell)
    return stem if extension in EXTENSIONS else cell


def _default_patient(stem: str) -> str:
    return stem.split("/", maxsplit=1)[0]


def _raise_if_any(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise DataError(mistakes[:MOST_SHOWN])
