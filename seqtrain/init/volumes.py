"""Detects volumes with masks in a second folder, or with labels in a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median_low
from typing import Any, NamedTuple

import numpy as np

from seqtrain.errors import DataError
from seqtrain.init.columns import column_roles, group_column, likely_targets
from seqtrain.init.csv_sample import CsvSample, csv_samples
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.listing import Listing, by_folder, evenly, is_held_out
from seqtrain.init.mask_pairs import FolderPair, folder_pairs, is_mask_name
from seqtrain.init.recipe import Recipe
from seqtrain.sources.file_listing import stem_and_extension
from seqtrain.sources.nifti import open_volume
from seqtrain.sources.volume_file import npy_volume

_NIFTI = (".nii", ".nii.gz")
_READ_VOLUMES, _READ_MASKS = 50, 16
_LARGEST_PATCH, _LARGEST_VOLUME, _MOST_SLICE = 64, 96, 256
_SHOWN = 6


class _Table(NamedTuple):
    """A table of volumes: the columns that name volumes and patients, and the columns that may be labels."""

    sample: CsvSample
    volumes: str
    patients: str | None
    labels: list[str]
    likely: str | None


class _Shapes(NamedTuple):
    """The number of all volumes, and the shapes and spacings of some of them."""

    number: int
    median: tuple[int, int, int]
    summary: str


def volumes(listing: Listing) -> Iterator[Detection]:
    """Finds volumes with masks or labels."""
    files = listing.with_extension(*_NIFTI) or _arrays(listing)
    if not files:
        return
    pair = next(folder_pairs(files), None)
    folder = pair.images if pair else _folder(files)
    images = pair.files if pair else [file for file in files if folder == "." or file.startswith(f"{folder}/")]
    shapes, table = _shapes(listing.root, images), _table(listing, images)
    if pair is not None:
        yield from _with_masks(listing, pair, shapes, table)
    if table is not None and table.labels:
        yield _with_labels(listing, folder, shapes, table)
    if pair is None and (table is None or not table.labels):
        raise DataError(
            f"{len(files)} volumes, and nothing to learn from them",
            where=listing.root,
            expected="masks of the same names in a folder such as labels/, or a CSV that names volumes and labels",
        )


def _arrays(listing: Listing) -> list[str]:
    """The .npy files, if each holds a three-dimensional array."""
    found = listing.with_extension(".npy")
    if len(found) < 4:
        return []
    try:
        for file in evenly(found, 4):
            npy_volume(listing.root / file)
    except DataError:
        return []
    return found


def _folder(files: list[str]) -> str:
    folders = {name: len(inside) for name, inside in by_folder(files).items() if not is_mask_name(name)}
    return max(folders, key=lambda name: (not is_held_out(name), folders[name]), default=".")


def _with_masks(listing: Listing, pair: FolderPair, shapes: _Shapes, table: _Table | None) -> Iterator[Detection]:
    classes, named = _classes(listing, pair)
    source: dict[str, Any] = {
        "name": "volumes",
        "images": listing.path(pair.images),
        "labels": listing.path(pair.masks),
    }
    source |= {"classes": classes} | ({"label_suffix": pair.suffix} if pair.suffix else {})
    if table is not None and table.patients is not None:
        source |= _table_arguments(listing, table)
    elif pair.num_unmatched > 0 or pair.images == pair.masks:
        source |= {"unmatched": "skip"}
    about = f"{shapes.number:,} volumes with masks."
    seen = (
        ("volumes", f"{shapes.number:,}, {shapes.summary}"),
        ("masks", f"one each: {pair.images}/ and {pair.masks}/"),
        ("classes", f"{len(classes)}: {', '.join(classes[:_SHOWN])}"),
        ("patients", _patients(table)),
    )
    notes = () if named else ("the masks hold numbers alone: put names into `classes`",)
    if "unmatched" in source:
        notes = (*pair.notes, *notes)
    size = [min(_LARGEST_PATCH, max(8, edge // 8 * 8)) for edge in shapes.median]
    patches = Recipe("volume_patches", about, source, 8 if math.prod(size) <= 32**3 else 2, values={"size": size})
    yield Detection("volume_patches", seen, lambda answers: patches, notes=notes)
    height, width = (min(_MOST_SLICE, max(8, edge // 8 * 8)) for edge in shapes.median[1:])

    def slices(answers: Answers) -> Recipe:
        values = {"image_size": list(answers.image_size or (height, width)), "color": "gray"}
        named = {**source, "name": "volume_slices", "plane": "axial"}
        return Recipe("volume_slices", about, named, 16, values=values)

    yield Detection("volume_slices", seen, slices, Answers(image_size=(height, width)), notes=notes)


def _with_labels(listing: Listing, folder: str, shapes: _Shapes, table: _Table) -> Detection:
    def recipe(answers: Answers) -> Recipe:
        source = {"name": "volumes", "images": listing.path(folder), **_table_arguments(listing, table)}
        source["label_column"] = answers.target
        size = [min(_LARGEST_VOLUME, max(8, edge // 4 * 4)) for edge in shapes.median]
        about = f"{shapes.number:,} volumes, with their {answers.target}."
        return Recipe("volume_classification", about, source, 4, values={"size": size})

    seen = (
        ("volumes", f"{shapes.number:,}, {shapes.summary}"),
        ("labels", f"{', '.join(table.labels)} in {table.sample.file}"),
        ("patients", _patients(table)),
    )
    return Detection("volume_classification", seen, recipe, Answers(target=table.likely), tuple(table.labels))


def _patients(table: _Table | None) -> str:
    if table is None or table.patients is None:
        return "each volume is taken for a patient's own"
    return f"column {table.patients} of {table.sample.file}"


def _table_arguments(listing: Listing, table: _Table) -> dict[str, Any]:
    patients = table.patients or table.volumes
    source = {"table": listing.path(table.sample.file)}
    source |= {"volume_column": table.volumes} if table.volumes != "volume" else {}
    return source | ({"patient_column": patients} if patients != "patient" else {})


def _table(listing: Listing, files: list[str]) -> _Table | None:
    """The first table with a column that names the volumes."""
    names = {Path(file).name for file in files}
    names |= {stem_and_extension(name)[0] for name in names}
    for sample in csv_samples(listing):
        columns = [name for name in sample.header if (cells := sample.column(name)) and set(cells) <= names]
        if columns:
            roles, patients = column_roles(sample), group_column(sample)
            targets, likely = likely_targets(sample, roles)
            labels = [
                t for t in targets if t not in (columns[0], patients) and roles.distinct[t] <= len(sample.rows) / 2
            ]
            categories = [name for name in labels if roles.roles[name] == "category"]
            return _Table(
                sample,
                columns[0],
                patients,
                labels,
                likely if likely in categories else next(iter(categories or labels), None),
            )
    return None


def _shapes(root: Path, files: list[str]) -> _Shapes:
    read = [open_volume(root / file) for file in evenly(files, _READ_VOLUMES)]
    z, y, x = zip(*(volume.shape for volume in read), strict=True)
    spacings = {tuple(round(edge, 2) for edge in volume.spacing_mm) for volume in read}
    typical = (median_low(z), median_low(y), median_low(x))
    spread = "" if len({volume.shape for volume in read}) == 1 else " voxels in the middle, sizes differ"
    spacing = (
        "several spacings" if len(spacings) > 1 else f"spacing {'x'.join(f'{edge:g}' for edge in spacings.pop())} mm"
    )
    return _Shapes(len(files), typical, f"{'x'.join(map(str, typical))}{spread}, {spacing}")


def _classes(listing: Listing, pair: FolderPair) -> tuple[list[str], bool]:
    """The class names, from a dataset.json (Medical Decathlon) or placeholders; and whether they are final."""
    ids: set[int] = set()
    for file in evenly(pair.mask_files, _READ_MASKS):
        ids |= {int(value) for value in np.unique(open_volume(listing.root / file).read())}
    names = _decathlon(listing.root / "dataset.json")
    highest = max(1, *ids, *names)
    if highest == 1 and not names:
        return ["background", "object"], True
    return [names.get(number, f"class_{number}" if number else "background") for number in range(highest + 1)], bool(
        names
    )


def _decathlon(path: Path) -> dict[int, str]:
    try:
        labels = json.loads(path.read_text())["labels"]
        by_id = {int(key): str(value) for key, value in labels.items() if str(key).isdecimal()}
        return by_id or {int(value): str(key) for key, value in labels.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
