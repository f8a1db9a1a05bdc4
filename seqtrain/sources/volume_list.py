"""Which volumes there are, of which patients, with which masks and labels: from two folders and perhaps a table.

The split goes by patient, so every volume has one, and nobody's volumes may stand on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seqtrain.errors import MOST_TOLD, DataError, Mistake, did_you_mean
from seqtrain.sources.file_listing import by_stem, matched_by_stem, stem_and_extension
from seqtrain.sources.manifest_csv import read_table

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


def list_volumes(images: Path, labels: Path | None, suffixes: tuple[str, str], skip_unmatched: bool) -> VolumeList:
    """All volumes of a folder, by stem.

    A volume in a folder below `images` is of the patient whom that folder is named after; any other is of a patient
    of its own.

    Args:
        images: The folder of the volumes.
        labels: The folder of the masks; None without masks.
        suffixes: What the stems of volumes and of masks end in besides what they have in common.
        skip_unmatched: Whether to leave out files without a partner.

    Raises:
        DataError: when a folder is missing or empty, or a file has no partner.
    """
    if labels is None:
        volumes = by_stem(images, EXTENSIONS, suffixes[0], "volumes")
        return VolumeList(tuple(volumes.values()), None, tuple(map(_folder_or_stem, volumes)))
    matched = matched_by_stem((images, labels), EXTENSIONS, suffixes, skip_unmatched, ("volumes", "masks"))
    return VolumeList(matched.first, matched.second, tuple(map(_folder_or_stem, matched.stems)))


def list_table(
    table: Path, columns: tuple[str, str, str | None], images: Path, labels: Path | None, suffixes: tuple[str, str]
) -> VolumeList:
    """The volumes that a table names, by file or by stem, in the table's order.

    Args:
        table: A CSV file with a header.
        columns: Of the volume, the patient and the label; None for no labels.
        images: See `list_volumes`.
        labels: See `list_volumes`.
        suffixes: See `list_volumes`.

    Raises:
        DataError: when the table cannot be read, a cell is empty, or a volume is missing, has no mask, or is named
            twice.
    """
    names = [column for column in columns if column is not None]
    read = read_table(table, names)
    places = [f"{table}:{line}" for line in read.lines]
    for name, cells in zip(names, read.columns, strict=True):
        _tell([Mistake(f"the {name} is empty", at) for cell, at in zip(cells, places, strict=True) if not cell])
    volumes = by_stem(images, EXTENSIONS, suffixes[0], "volumes")
    masks = None if labels is None else by_stem(labels, EXTENSIONS, suffixes[1], "masks")
    stems = list(map(_stem, read.columns[0]))
    _check_stems(dict(zip(places, stems, strict=True)), (volumes, images), (masks, labels))
    return VolumeList(
        tuple(volumes[stem] for stem in stems),
        None if masks is None else tuple(masks[stem] for stem in stems),
        tuple(read.columns[1]),
        None if columns[2] is None else tuple(read.columns[2]),
    )


def _stem(cell: str) -> str:
    """Of a volume that a table names by file or by stem."""
    stem, extension = stem_and_extension(cell)
    return stem if extension in EXTENSIONS else cell


def _folder_or_stem(stem: str) -> str:
    return stem.split("/", maxsplit=1)[0]


def _check_stems(
    named: Mapping[str, str],
    volumes: tuple[Mapping[str, str], Path],
    masks: tuple[Mapping[str, str] | None, Path | None],
) -> None:
    """Refuses stems of a table, by their places, that have no volume or no mask, or stand there twice."""
    mistakes: list[Mistake] = []
    first: dict[str, str] = {}
    for where, stem in named.items():
        if stem not in volumes[0]:
            fix = did_you_mean(stem, volumes[0]) or "add the volume, or remove the row"
            mistakes.append(Mistake(f"there is no volume '{stem}' in {volumes[1]}", where, fix=fix))
        elif masks[0] is not None and stem not in masks[0]:
            fix = "add the mask, or remove the row"
            mistakes.append(Mistake(f"the volume '{stem}' has no mask in {masks[1]}", where, fix=fix))
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
