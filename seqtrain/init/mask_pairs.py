"""Detects images with one mask each, in two folders or one; finds the folders, the suffix and the classes."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqtrain.errors import DataError
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import ImageSample, sample_images
from seqtrain.init.listing import Listing, by_folder, evenly, is_held_out
from seqtrain.init.recipe import Recipe
from seqtrain.sources.file_listing import stem_and_extension
from seqtrain.sources.mask_file import read_ids

MASK_WORDS = (
    "mask",
    "label",
    "annotation",
    "segmentation",
    "segmentationclass",
    "seg",
    "gt",
    "groundtruth",
    "annot",
    "trimap",
)

_DECATHLON = re.compile("(tr|ts)$")  # imagesTr, labelsTr
_READ_MASKS = 64
_FEW = 0.1  # share of the masks that are not empty
_WHITE = 255
_MOST_CLASSES = 100
_MOST_BATCH = 16


class FolderPair(NamedTuple):
    """A folder of images and the folder of their masks.

    Args:
        images: The folder of the images, relative to the listing's folder.
        masks: The folder of the masks, likewise.
        suffix: The suffix that is added to an image's stem for its mask, such as "_mask".
        files: The images that have a mask.
        mask_files: Their masks.
        num_unmatched: The number of files without a partner.
    """

    images: str
    masks: str
    suffix: str
    files: list[str]
    mask_files: list[str]
    num_unmatched: int

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if some files have no partner."""
        if self.num_unmatched < 1:
            return ()
        left_out = (
            "1 file has no partner and is"
            if self.num_unmatched == 1
            else f"{self.num_unmatched:,} files have no partner and are"
        )
        return (f"{left_out} left out",)


class _Ids(NamedTuple):
    """What the masks hold: class names, the id to ignore if any, and notes for the user."""

    classes: list[str]
    ignore: int | None
    notes: tuple[str, ...]


def mask_pairs(listing: Listing) -> Iterator[Detection]:
    """Finds images with masks."""
    for pair in folder_pairs(listing.images):
        sample = sample_images(listing.root, pair.files)
        ids = _ids(listing.root, pair.mask_files)
        if sample is not None:
            yield _detection(listing, pair, sample, ids)


def folder_pairs(files: list[str]) -> Iterator[FolderPair]:
    """Pairs of folders whose files have the same stems; folders for validation or test come last.

    Folders pair by the names in their path: `train/images` with `train/masks`, `train` with `train_masks`.
    """
    folders = by_folder(files)
    masks = {name for name in folders if is_mask_name(name)}
    by_pattern: dict[tuple[str, ...], list[str]] = {}
    for images in folders.keys() - masks:
        for pattern in _wildcard_paths(images):
            by_pattern.setdefault(pattern, []).append(images)
    pairs = []
    for mask in masks:
        partners = {images for pattern in _wildcard_paths(mask) for images in by_pattern.get(pattern, [])}
        partners |= {"."} & folders.keys()
        pairs += [_paired(images, mask, folders[images], folders[mask]) for images in sorted(partners - {mask})]
    pairs += [_paired(name, name, folders[name], folders[name]) for name in folders]
    found = [pair for pair in pairs if pair is not None and 2 * len(pair.files) >= pair.num_unmatched]
    yield from sorted(found, key=lambda pair: (is_held_out(pair.images), -len(pair.files)))


def is_mask_name(folder: str) -> bool:
    """Whether the name of a folder says that it holds masks."""
    names = [_DECATHLON.sub("", name) for name in folder.lower().replace("-", "_").split("/")]
    words = [word for name in names for word in name.split("_")]
    return any(word in MASK_WORDS or word.removesuffix("s") in MASK_WORDS or word.startswith("mask") for word in words)


def _wildcard_paths(folder: str) -> list[tuple[str, ...]]:
    """The path with each of its parts in turn replaced by "*", to find paths that differ in one part only."""
    parts = folder.split("/")
    return [(*parts[:level], "*", *parts[level + 1 :]) for level in range(len(parts))]


def _paired(images: str, masks: str, image_files: list[str], mask_files: list[str]) -> FolderPair | None:
    stems = {_stem(file): file for file in image_files}
    suffix = "" if images != masks else None
    partners = {_stem(file): file for file in mask_files}
    if suffix is None or not stems.keys() & partners.keys():
        suffix = _suffix(stems, partners)
    if suffix is None:
        return None
    found = {stem: f"{stem}{suffix}" for stem in stems if f"{stem}{suffix}" in partners}
    if len(found) < 2:
        return None
    num_unmatched = len(stems) + len(partners) - 2 * len(found)
    if images == masks:
        num_unmatched -= len(partners)  # both dicts hold every file of the folder
    return FolderPair(
        images,
        masks,
        suffix,
        [stems[stem] for stem in found],
        [partners[name] for name in found.values()],
        num_unmatched,
    )


def _suffix(stems: dict[str, str], partners: dict[str, str]) -> str | None:
    """The most common suffix that marks files as masks, such as "_mask" of `cat_mask`."""
    endings = Counter(
        stem[cut:]
        for stem in evenly(list(partners), 200)
        for cut in range(1, len(stem))
        if stem[:cut] in stems and is_mask_name(stem[cut:].strip("_-. "))
    )
    return endings.most_common(1)[0][0] if endings else None


def _stem(file: str) -> str:
    return stem_and_extension(os.path.basename(file))[0]  # noqa: PTH119 - a Path for each is slow


def _ids(root: Path, masks: list[str]) -> _Ids:
    """Reads the ids in some masks.

    Raises:
        DataError: when no mask can be read, or the values are shades of gray rather than ids.
    """
    ids_of: dict[str, set[int]] = {}
    unreadable: list[tuple[str, DataError]] = []
    read = evenly(masks, _READ_MASKS)
    for mask in read:
        try:
            ids_of[mask] = {int(value) for value in np.unique(read_ids(str(root / mask)))}
        except DataError as error:
            unreadable.append((mask, error))
    found = set().union(*ids_of.values())
    if not found:
        raise unreadable[0][1]
    notes: tuple[str, ...] = ()
    if len(read) < len(masks):
        notes = (f"{len(read)} of {len(masks):,} masks were read for their classes",)
    if unreadable:
        notes = (*notes, f"{len(unreadable)} of {len(read)} masks cannot be read, such as {unreadable[0][0]}")
    if found <= {0, 1, _WHITE} and not {1, _WHITE} <= found:
        return _Ids(["background", "object"], None, notes)
    odd = [mask for mask, values in ids_of.items() if not values <= {0, _WHITE}]
    white = [mask for mask, values in ids_of.items() if _WHITE in values and mask not in odd]
    if 0 < len(odd) <= _FEW * (len(white) + len(odd)):
        values = ", ".join(map(str, sorted(ids_of[odd[0]] - {0, _WHITE})[:3]))
        note = f"{len(odd)} of {len(ids_of)} masks hold more than 0 and 255, such as {odd[0]} ({values})"
        return _Ids(["background", "object"], None, (*notes, f"{note}: mend or remove them"))
    if max(found) > _MOST_CLASSES and _WHITE in found:
        ids, ignore = found - {_WHITE}, _WHITE
    else:
        ids, ignore = found, None
    if not ids or max(ids) > _MOST_CLASSES or len(ids) > _MOST_CLASSES:
        raise DataError(
            "the masks hold no ids of classes but shades",
            where=root / masks[0],
            expected=f"0 to {_MOST_CLASSES} at most, or 0 and 255",
            received=f"{len(found)} values, {min(found)} to {max(found)}",
            fix="save masks as PNG: JPEG changes the numbers" if _is_jpeg(masks[0]) else "number the classes from 0",
        )
    names = ["background", *(f"class_{number}" for number in range(1, max(1, *ids) + 1))]
    ignored = ("255 in the masks is taken for pixels that do not count",) if ignore else ()
    return _Ids(names, ignore, (*notes, *ignored, "the masks hold numbers alone: put names into `classes`"))


def _is_jpeg(file: str) -> bool:
    return file.lower().endswith((".jpg", ".jpeg"))


def _detection(listing: Listing, pair: FolderPair, sample: ImageSample, ids: _Ids) -> Detection:
    source: dict[str, Any] = {"name": "image_mask", "images": listing.path(pair.images)}
    source |= {"masks": listing.path(pair.masks), "classes": ids.classes}
    source |= {"mask_suffix": pair.suffix} if pair.suffix else {}
    source |= {"ignore": ids.ignore} if ids.ignore is not None else {}
    is_mixed = pair.images == pair.masks or pair.num_unmatched > 0
    source |= {"unmatched": "skip"} if is_mixed else {}

    def recipe(answers: Answers) -> Recipe:
        values = sample.values(answers.image_size or sample.image_size(multiple=16))
        values["about_source"] = "The names of the ids 0, 1 and so on in the masks, the background first."
        about = f"{sample.count:,} images with a mask each."
        return Recipe("segmentation", about, source, sample.batch_size(_MOST_BATCH), values=values)

    places = f"{pair.images}/ and {pair.masks}/" + (f", masks end in {pair.suffix}" if pair.suffix else "")
    seen = (
        ("images", f"{sample.count:,}, {sample.summary()}"),
        ("masks", f"one each: {places}"),
        ("classes", f"{len(ids.classes)}: {', '.join(ids.classes[:6])}{', ...' if len(ids.classes) > 6 else ''}"),
    )
    size = sample.image_size(multiple=16)
    return Detection(
        "image_mask", seen, recipe, Answers(image_size=size), notes=(*sample.notes(), *pair.notes, *ids.notes)
    )
