"""Detects one folder of images for each class, either directly or inside train/ beside val/ or test/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import ImageSample, sample_images
from seqtrain.init.listing import Listing, is_held_out, is_training
from seqtrain.init.recipe import Recipe
from seqtrain.text import number_range

_IMBALANCED = 3  # class weights are suggested if the largest class is at least this many times the smallest
_MANY_CLASSES, _FEW_IMAGES = 20, 20
_SHOWN = 6
_BACKBONE_EDGE = 96
_INNER = frozenset({"images", "masks", "labels"})  # subfolders of one sample's folder, not classes


@dataclass(frozen=True)
class _Classes:
    """Class folders below `base`.

    Args:
        base: Their parent folder, relative to the listing's folder.
        counts: The number of images of each class.
        empty: Folders without images.
        held_out: The number of images in each folder that is kept for validation or test.
    """

    base: str
    counts: dict[str, int]
    empty: tuple[str, ...]
    held_out: dict[str, int]


def class_folders(listing: Listing) -> Iterator[Detection]:
    """Finds class folders, for classification and for other tasks, such as pairs of images."""
    found = _classes(listing)
    if found is None:
        return
    prefix = "" if found.base == "." else f"{found.base}/"
    images = [file for file in listing.images if file.startswith(prefix)]
    sample = sample_images(listing.root, images)
    if sample is None:
        return
    source: dict[str, Any] = {"name": "image_folder", "path": listing.path(found.base)}
    if found.empty:
        source = {**source, "classes": list(found.counts)}
    kinds = ["image_folder", "siamese_pairs", "siamese_triplets"]
    if len(found.counts) >= _MANY_CLASSES and len(images) / len(found.counts) < _FEW_IMAGES:
        kinds = [*kinds[1:], kinds[0]]
    elif not sample.is_gray and min(sample.median) >= _BACKBONE_EDGE:
        kinds.insert(1, "backbone")
    for kind in kinds:
        yield _detection(kind, listing, found, sample, source)


def _detection(kind: str, listing: Listing, found: _Classes, sample: ImageSample, source: dict[str, Any]) -> Detection:
    num_classes = len(found.counts)
    about = f"{sample.count:,} images in {num_classes} classes, one folder each."
    smallest, largest = min(found.counts.values()), max(found.counts.values())

    def recipe(answers: Answers) -> Recipe:
        values = sample.values(answers.image_size or sample.image_size())
        if kind.startswith("siamese"):
            column = "class" if num_classes >= 5 else None
            values |= {"form": kind.removeprefix("siamese_")}
            values |= {"one_shot": num_classes >= 100}  # a fifth of the classes is held out; a trial needs 20
            return Recipe("similarity", about, source, sample.batch_size(), column=column, values=values)
        values |= {"about_source": "One folder for each class.", "is_imbalanced": largest >= _IMBALANCED * smallest}
        by = "stratified" if smallest > 1 else "random"
        name = "backbone" if kind == "backbone" else "classification"
        return Recipe(name, about, source, sample.batch_size(), by, values=values)

    return Detection(
        kind,
        (
            ("images", f"{sample.count:,}, {sample.summary()}"),
            ("classes", _classes_text(found.counts)),
            *((f"{name}/", f"{count:,} images, not used for training") for name, count in found.held_out.items()),
        ),
        recipe,
        Answers(image_size=sample.image_size()),
        notes=(*sample.notes(), *_notes(found, listing.root)),
    )


def _classes(listing: Listing) -> _Classes | None:
    """Searches for the folder that holds several folders of images, and no images itself."""
    base, files = "", listing.images
    held_out: dict[str, int] = {}
    while True:
        below = _by_first_folder(files, base)
        training = [name for name in below if is_training(name)]
        others = {name: len(inside) for name, inside in below.items() if is_held_out(name)}
        if "" in below or not below:
            return None
        if len(below) > 1 and not (training and others):
            return _class_folders(listing, base, below, held_out)
        held_out = others or held_out
        name = training[0] if training else next(iter(below))
        base, files = f"{base}{name}/", below[name]


def _class_folders(
    listing: Listing, base: str, below: dict[str, list[str]], held_out: dict[str, int]
) -> _Classes | None:
    """The class folders; None if the folders are samples or masks instead."""
    inner = {file[len(base) :].split("/")[1].lower() for files in below.values() for file in files[:1]}
    is_other = any(_INNER & {name.lower() for name in names} for names in (below, inner))
    if is_other or len(below) > len(listing.images) / 2:
        return None
    folders = sorted(path.name for path in (listing.root / base).iterdir() if path.is_dir() and path.name[0] != ".")
    counts = {name: len(below[name]) for name in folders if name in below}
    return _Classes(base.rstrip("/") or ".", counts, tuple(name for name in folders if name not in below), held_out)


def _classes_text(counts: dict[str, int]) -> str:
    names = ", ".join([*list(counts)[:_SHOWN], *(["..."] if len(counts) > _SHOWN else [])])
    each = number_range(min(counts.values()), max(counts.values()))
    return f"{len(counts)}: {names} ({each} each)"


def _notes(found: _Classes, root: Path) -> Iterator[str]:
    if found.empty:
        yield f"folders without images are left out: {', '.join(found.empty[:_SHOWN])}"
    if min(found.counts.values()) == 1:
        yield "a class has one image alone, so the split cannot be stratified"
    for name in found.held_out:
        where = root / Path(found.base).parent / name
        yield f"{name}/ is kept out: judge a run on it with `seqtrain evaluate RUN -s source.path={where}`"


def _by_first_folder(files: list[str], base: str) -> dict[str, list[str]]:
    """Files by their top-level folder below `base`; "" for files in `base` itself."""
    found: dict[str, list[str]] = {}
    for file in files:
        name, slash, _ = file[len(base) :].partition("/")
        found.setdefault(name if slash else "", []).append(file)
    return found
