"""Detects tables of paths: images with a label each, or pairs of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal

from seqtrain.errors import DataError
from seqtrain.init.columns import column_roles, group_column, likely_targets
from seqtrain.init.csv_sample import CsvSample, csv_samples
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import ImageSample, sample_images
from seqtrain.init.listing import Listing, evenly
from seqtrain.init.recipe import Recipe
from seqtrain.sources.image_files import image_extensions
from seqtrain.sources.number_text import is_number
from seqtrain.sources.table_file import read_texts

_CHECKED = 40
_IMBALANCED = 3
_SHOWN = 6
_SAME = ({"0", "1"}, {"same", "different"})


def manifests(listing: Listing) -> Iterator[Detection]:
    """Finds tables with one or two columns of paths of existing images."""
    for sample in csv_samples(listing):
        paths = {name: root for name in sample.header if (root := _root(listing, sample, name)) is not None}
        if len(paths) == 2:
            yield from _pairs(listing, sample, list(paths), next(iter(paths.values())))
        elif len(paths) == 1:
            name, root = next(iter(paths.items()))
            yield from _labelled(listing, sample, name, root)


def _root(listing: Listing, sample: CsvSample, name: str) -> str | None:
    """The folder that the paths of a column are relative to; None if they are not paths of images."""
    cells = evenly(sample.column(name), _CHECKED)
    if not cells or not all(PurePosixPath(cell).suffix.lower() in image_extensions() for cell in cells):
        return None
    root, num_found = listing.root_of(cells, sample.file)
    return root if num_found >= 0.9 * len(cells) else None


def _pairs(listing: Listing, sample: CsvSample, paths: list[str], root: str) -> Iterator[Detection]:
    label = next((c for c in sample.header if c not in paths and set(map(str.lower, sample.column(c))) in _SAME), None)
    images = _sample(listing, sample, paths[0], root)
    if label is None or images is None:
        return
    source = _source(listing, sample, "pair_manifest", root)
    named = {
        "path_a_column": (paths[0], "path_a"),
        "path_b_column": (paths[1], "path_b"),
        "label_column": (label, "label"),
    }
    source |= {key: name for key, (name, usual) in named.items() if name != usual}
    others = [name for name in sample.header if name not in (*paths, label)]
    groups = [name for name in others if 1 < len(set(sample.column(name))) <= len(sample.rows) / 5]
    group = group_column(sample) or (groups[0] if groups else None)

    def recipe(answers: Answers) -> Recipe:
        values = {**images.values(answers.image_size or images.image_size()), "form": "pairs"}
        about = f"{sample.rows_text()} of pairs of images."
        return Recipe("similarity", about, source, images.batch_size(), column=group, values=values)

    same = Counter(map(str.lower, sample.column(label)))
    seen = (
        ("pairs", f"{sample.rows_text()} in {sample.file}, {images.summary()}"),
        ("labels", ", ".join(f"{count:,} {name}" for name, count in sorted(same.items()))),
        *((("groups", f"column {group}"),) if group else ()),
    )
    yield Detection("pair_manifest", seen, recipe, Answers(image_size=images.image_size()), notes=images.notes())


def _labelled(listing: Listing, sample: CsvSample, path: str, root: str) -> Iterator[Detection]:
    images = _sample(listing, sample, path, root)
    targets, target = likely_targets(sample, column_roles(sample))
    group = group_column(sample)
    targets = [name for name in targets if name not in (path, group)]
    if images is None or not targets:
        return
    target = target if target in targets else targets[0]

    def recipe(answers: Answers) -> Recipe:
        labelled = _labelled_recipe(listing, sample, (path, answers.target or target or "", root), group)
        shape = images.values(answers.image_size or images.image_size())
        return replace(labelled, batch_size=images.batch_size(), values={**labelled.values, **shape})

    seen = (
        ("images", f"{sample.rows_text()} in {sample.file}, {images.summary()}"),
        ("labels", "; ".join(f"{name}: {_values(sample, name)}" for name in targets[:_SHOWN])),
        *((("groups", f"column {group}"),) if group else ()),
    )
    suggested = Answers(target, images.image_size())
    yield Detection("image_manifest", seen, recipe, suggested, tuple(targets), images.notes())


def _labelled_recipe(listing: Listing, sample: CsvSample, where: tuple[str, str, str], group: str | None) -> Recipe:
    path, label, root = where
    labels = _all_labels(sample, label)
    kind = _kind(labels)
    source = _source(listing, sample, "image_manifest", root) | ({"path_column": path} if path != "path" else {})
    source |= {"label_column": label} if label != "label" else {}
    source |= {"target": kind}
    counts = sorted(Counter(labels).values())
    by = "group" if group else "stratified" if kind != "float" and counts[0] > 1 else "random"
    about = f"Images that {PurePosixPath(sample.file).name} lists, with their {label}."
    if kind == "float":
        values: dict[str, Any] = {"is_number": True}
    else:
        values = {"about_source": "Paths and labels are columns of the table."}
        values |= {"is_imbalanced": counts[-1] >= _IMBALANCED * counts[0]}
    return Recipe("classification", about, source, by=by, column=group, values=values)


def _all_labels(sample: CsvSample, label: str) -> list[str]:
    try:
        return read_texts(sample.path, [label]).texts[label]
    except DataError:  # reported when the new config is checked
        return sample.column(label)


def _kind(labels: list[str]) -> Literal["class", "index", "float"]:
    if not all(map(is_number, labels)):
        return "class"
    values = set(labels)
    is_index = all(map(str.isdecimal, values)) and max(map(int, values)) < max(20, 2 * len(values))
    return "index" if is_index else "float"


def _source(listing: Listing, sample: CsvSample, name: str, root: str) -> dict[str, Any]:
    source: dict[str, Any] = {"name": name, "manifest": listing.path(sample.file)}
    is_beside = root == str(PurePosixPath(sample.file).parent)
    return source if is_beside else {**source, "root": listing.path(root)}


def _sample(listing: Listing, sample: CsvSample, column: str, root: str) -> ImageSample | None:
    found = sample_images(listing.root / root, sample.column(column))
    if found is None or sample.is_whole:
        return found
    return replace(found, count=sample.num_rows)


def _values(sample: CsvSample, name: str) -> str:
    counts = Counter(sample.column(name))
    if len(counts) > 100 and all(map(is_number, counts)):
        return "numbers"
    shown = [f"{value} ({count:,})" for value, count in counts.most_common(_SHOWN)]
    return ", ".join(shown) + (", ..." if len(counts) > _SHOWN else "")
