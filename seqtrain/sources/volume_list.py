"""Which volumes there are, of which patients, with which masks and labels: from two folders and perhaps a table.

The split goes by patient, so every volume has one, and nobody's volumes may stand on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_TOLD, DataError, Mistake, did_you_mean
from seqtrain.sources.manifest_csv import Table, read_table
from seqtrain.sources.matched_files import (
    MaskNames,
    files_below,
    matched_by_stem,
    stem_and_extension,
    tell_left_out,
)

EXTENSIONS = (".nii", ".nii.gz", ".npy")


@dataclass(frozen=True)
class VolumeList:
    """Volumes in their order.

    Args:
        images: Their paths below the folder of images.
        masks: The paths of their masks below the folder of masks; None without masks.
        patients: Whose they are.
        labels: The names of their classes; None where whole volumes have none.
    """

    images: tuple[str, ...]
    masks: tuple[str, ...] | None
    patients: tuple[str, ...]
    labels: tuple[str, ...] | None = None


Suffixes = tuple[str, str]
"""What the stems of volumes and of masks end in besides what they have in common."""


def list_volumes(images: Path, labels: Path | None, suffixes: Suffixes, skip_unmatched: bool) -> VolumeList:
    """All volumes of a folder, by stem.

    A volume in a folder below `images` is of the patient whom that folder is named after; any other is of a patient
    of its own.

    Raises:
        DataError: when a folder is missing or empty, or a file has no partner.
    """
    if labels is not None:
        matched = matched_by_stem(images, labels, EXTENSIONS, suffixes[1], skip_unmatched, suffixes[0])
        tell_left_out("volumes", matched)
        return VolumeList(matched.first, matched.second, tuple(map(_folder_or_stem, matched.stems)))
    by_stem = _volumes_by_stem(images, suffixes[0])
    return VolumeList(tuple(by_stem.values()), None, tuple(map(_folder_or_stem, by_stem)))


def volumes_below(folder: Path, suffix: str, masks: MaskNames) -> list[str]:
    """The volumes of a folder, at any depth; those that are masks by their names are left out.

    Args:
        folder: Of the volumes.
        suffix: What their stems end in.
        masks: How masks are called.

    Raises:
        DataError: when there is no volume, or two have one stem.
    """
    return masks.images_of(folder, list(_volumes_by_stem(folder, suffix).values()))


def list_table(
    table: Path, columns: tuple[str, str, str | None], images: Path, labels: Path | None, suffixes: Suffixes
) -> VolumeList:
    """The volumes that a table names, by file or by stem, in the table's order.

    Args:
        table: A CSV file with a header.
        columns: Of the volume, the patient and the label; None for no labels.
        images: The folder of the volumes.
        labels: The folder of the masks.
        suffixes: What the stems of volumes and masks end in besides.

    Raises:
        DataError: when the table cannot be read, a cell is empty, or a volume is missing, has no mask, or is named
            twice.
    """
    read = read_table(table, [column for column in columns if column is not None])
    for name, cells in zip(columns, read.columns, strict=False):
        _tell([Mistake(f"the {name} is empty", f"{table}:{line}") for cell, line in _lined(cells, read) if not cell])
    stems = [stem_and_extension(cell)[0] if _is_volume(cell) else cell for cell in read.columns[0]]
    if labels is None:
        found, masks = _volumes_by_stem(images, suffixes[0]), None
    else:
        matched = matched_by_stem(
            images, labels, EXTENSIONS, suffixes[1], skip_unmatched=True, first_suffix=suffixes[0]
        )
        found = dict(zip(matched.stems, matched.first, strict=True))
        masks = dict(zip(matched.stems, matched.second, strict=True))
    all_volumes = found if labels is None or set(stems) <= set(found) else _volumes_by_stem(images, suffixes[0])
    _check_stems([(stem, f"{table}:{line}") for stem, line in _lined(stems, read)], found, all_volumes, images, labels)
    return VolumeList(
        tuple(found[stem] for stem in stems),
        None if masks is None else tuple(masks[stem] for stem in stems),
        tuple(read.columns[1]),
        tuple(read.columns[2]) if columns[2] is not None else None,
    )


def check_patients_apart(
    patients: npt.NDArray[np.str_], train: npt.NDArray[np.integer], val: npt.NDArray[np.integer], where: Path
) -> None:
    """Refuses a split that has a patient on both sides: what is learnt of one would be tested on the same one.

    Args:
        patients: Of each sample.
        train: The samples of one side.
        val: The samples of the other.
        where: The table or folder that says who is who.

    Raises:
        DataError: when a patient is on both sides.
    """
    both = np.intersect1d(patients[train], patients[val])
    if both.size:
        raise DataError(
            f"patient '{both[0]}' is on both sides of the split",
            where=where,
            expected="each patient either in training or in validation",
            received=f"{both.size} of {np.unique(patients).size} patients on both sides",
            fix="split: {train: ..., by: group}",
        )


def _volumes_by_stem(folder: Path, suffix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in files_below(folder):
        stem = stem_and_extension(path)[0]
        if not _is_volume(path) or not stem.endswith(suffix):
            continue
        stem = stem.removesuffix(suffix)
        if stem in found:
            raise DataError(
                f"two volumes are called '{stem}'",
                where=folder / path,
                received=f"{found[stem]} and {path}",
                fix="remove or rename one of them",
            )
        found[stem] = path
    if not found:
        ending = f"{suffix} and {_endings()}" if suffix else _endings()
        raise DataError("the folder holds no volumes", where=folder, expected=f"files that end in {ending}")
    return dict(sorted(found.items()))


def _is_volume(path: str) -> bool:
    return stem_and_extension(path)[1] in EXTENSIONS


def _endings() -> str:
    return ", ".join(EXTENSIONS)


def _folder_or_stem(stem: str) -> str:
    return stem.split("/", maxsplit=1)[0]


def _lined(cells: Sequence[str], table: Table) -> zip[tuple[str, int]]:
    return zip(cells, table.lines, strict=True)


def _check_stems(
    named: list[tuple[str, str]], found: dict[str, str], all_volumes: dict[str, str], images: Path, labels: Path | None
) -> None:
    """Refuses stems of a table, with their places, that have no volume or no mask, or stand there twice."""
    mistakes: list[Mistake] = []
    first: dict[str, str] = {}
    for stem, where in named:
        if stem not in all_volumes:
            fix = did_you_mean(stem, all_volumes) or "add the volume, or remove the row"
            mistakes.append(Mistake(f"there is no volume '{stem}' in {images}", where, fix=fix))
        elif stem not in found:
            fix = "add the mask, or remove the row"
            mistakes.append(Mistake(f"the volume '{stem}' has no mask in {labels}", where, fix=fix))
        elif stem in first:
            fix = f"remove this row or {first[stem]}"
            mistakes.append(Mistake(f"the volume '{stem}' is named twice", where, fix=fix))
        first.setdefault(stem, where)
        if len(mistakes) == MOST_TOLD:  # each looks for the nearest of all names, which takes its time
            break
    _tell(mistakes)


def _tell(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise DataError(mistakes[:MOST_TOLD])
