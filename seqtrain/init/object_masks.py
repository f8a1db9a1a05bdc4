"""Detects images whose objects have a mask file each, a row of run-length codes each, or an outline in a COCO file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from seqtrain.errors import DataError
from seqtrain.init.csv_sample import CsvSample, csv_samples
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import sample_images
from seqtrain.init.listing import Listing, evenly, is_held_out
from seqtrain.init.recipe import Recipe
from seqtrain.sources.coco_file import CocoFile

_MOST_BATCH = 16
_CHECKED = 50
_SNIFFED = 1 << 16
_SUMMARY_OF_MERGE = (
    "Every object has the class `object`; `merge: border` gives their rims a class, so that touching ones come apart."
)


def object_masks(listing: Listing) -> Iterator[Detection]:
    """Finds COCO files, run-length codes and folders of masks; kinds that name classes come first."""
    for path in sorted(listing.with_extension(".json"), key=is_held_out):
        yield from _coco(listing, path)
    for sample in csv_samples(listing):
        yield from _encoded(listing, sample)
    yield from _mask_folders(listing)


def _mask_folders(listing: Listing) -> Iterator[Detection]:
    """Finds folders with one image and its masks each.

    Where `images` holds many files, `images` and `masks` are pairs instead, which `mask_pairs` finds.
    """
    images, masks = _images_in(listing, "images"), _images_in(listing, "masks")
    ids = [name for name in sorted(images) if name in masks and len(images[name]) == 1]
    by_base: dict[str, list[str]] = {}
    for name in ids:
        by_base.setdefault(name.rpartition("/")[0], []).append(name)
    for base in sorted(by_base, key=lambda base: (is_held_out(base), base)):
        if len(by_base[base]) < 2:
            continue
        num_masks = sum(len(masks[name]) for name in by_base[base])
        source = {"name": "mask_folders", "path": listing.path(base), "merge": "union"}
        seen = (("masks", f"{num_masks:,}, one for each object, in <id>/masks/"), ("classes", "2: background, object"))
        files = [images[name][0] for name in by_base[base]]
        yield from _detection(listing, "mask_folders", files, source, seen, _SUMMARY_OF_MERGE)


def _images_in(listing: Listing, name: str) -> dict[str, list[str]]:
    """The images in the folders with this name, by parent folder."""
    folders = listing.folders_of_images.items()
    return {folder.rpartition("/")[0]: files for folder, files in folders if folder.endswith(f"/{name}")}


def _encoded(listing: Listing, sample: CsvSample) -> Iterator[Detection]:
    image, runs = sample.named("imageid", "image", "imgid", "id"), sample.named("encodedpixels", "rle", "segmentation")
    joined = sample.named("imageidclassid")
    if runs is None or (image is None and joined is None) or not listing.images:
        return
    column = (joined or image or "").removesuffix("_ClassId")
    ids = [cell.rsplit("_", 1)[0] if joined else cell for cell in sample.column(joined or image or "")]
    files = _files_of(ids, listing.images)
    if not files:
        return
    folder, pattern = _folder_and_pattern(files, listing.images)
    source: dict[str, Any] = {
        "name": "encoded_masks",
        "path": listing.path(sample.file),
        "images": listing.path(folder),
    }
    source |= {"pattern": pattern} if pattern else {}
    source |= {"image_column": column} if column != "ImageId" else {}
    source |= {"runs_column": runs} if runs != "EncodedPixels" else {}
    classes = sample.named("classid", "class", "label")
    source |= {"class_column": classes} if classes not in (None, "ClassId") else {}
    named = joined or classes
    seen = (
        ("masks", f"run-length codes in {sample.file}, columns {', '.join(sample.header)}"),
        ("classes", "as the table has them" if named else "2: background, object"),
    )
    about_source = "`classes` may name the classes, in the order of the table's ids." if named else ""
    yield from _detection(
        listing,
        "encoded_masks",
        files if sample.is_whole else _images_below(folder, listing),
        source,
        seen,
        about_source,
    )


def _coco(listing: Listing, path: str) -> Iterator[Detection]:
    with (listing.root / path).open("rb") as file:
        start = file.read(_SNIFFED)
    if not start.lstrip().startswith(b"{") or not any(f'"{k}"'.encode() in start for k in ("images", "annotations")):
        return
    try:
        found = CocoFile(listing.root / path)
    except DataError:
        return
    names = [name for name, _ in found.images.values()]
    folder = _root_of(names, listing, path)
    if folder is None or not found.categories:
        return
    files = [str(PurePosixPath(folder, name)) for name in names]
    source = {"name": "coco_masks", "path": listing.path(path), "images": listing.path(folder)}
    present = [file for file in files if (listing.root / file).is_file()]
    if len(present) < len(files):
        source["unmatched"] = "skip"
    categories = list(found.categories.values())
    shown = f"{len(categories) + 1}: background, {', '.join(categories[:6])}{', ...' if len(categories) > 6 else ''}"
    seen = (("masks", f"outlines in {path}"), ("classes", shown))
    yield from _detection(
        listing,
        "coco_masks",
        present,
        source,
        seen,
        "All categories of the file; `classes: [...]` uses some.",
    )


def _detection(
    listing: Listing,
    kind: str,
    files: list[str],
    source: dict[str, Any],
    seen: tuple[tuple[str, str], ...],
    about_source: str,
) -> Iterator[Detection]:
    sample = sample_images(listing.root, files)
    if sample is None:
        return
    size = sample.image_size(multiple=16)

    def recipe(answers: Answers) -> Recipe:
        values = {**sample.values(answers.image_size or size), "about_source": about_source}
        about = f"{sample.count:,} images whose objects have masks."
        return Recipe("segmentation", about, source, sample.batch_size(_MOST_BATCH), values=values)

    images = ("images", f"{sample.count:,}, {sample.summary()}")
    yield Detection(kind, (images, *seen), recipe, Answers(image_size=size), notes=sample.notes())


def _files_of(ids: list[str], images: list[str]) -> list[str]:
    """The images with these ids, which are file names with or without an extension."""
    wanted = set(ids)
    return [file for file in images if PurePosixPath(file).name in wanted or PurePosixPath(file).stem in wanted]


def _images_below(folder: str, listing: Listing) -> list[str]:
    return [file for file in listing.images if folder == "." or file.startswith(f"{folder}/")]


def _folder_and_pattern(files: list[str], images: list[str]) -> tuple[str, str | None]:
    """The common folder of some images, and a pattern of their paths below it if it holds other images too."""
    folders = [PurePosixPath(file).parent.parts for file in files]
    common = 0
    while all(len(f) > common for f in folders) and len({f[common] for f in folders}) == 1:
        common += 1
    folder = "/".join(folders[0][:common]) or "."
    if sum(folder == "." or file.startswith(f"{folder}/") for file in images) == len(files):
        return folder, None
    depth = len(folders[0])
    parts = [{f[level] for f in folders if len(f) > level} for level in range(common, depth)]
    return folder, "/".join([*(next(iter(names)) if len(names) == 1 else "*" for names in parts), "*"])


def _root_of(names: list[str], listing: Listing, path: str) -> str | None:
    """The folder that the file names in a COCO file are relative to; None if few of them exist."""
    some = evenly(names, _CHECKED)
    root, num_found = listing.root_of(some, path)
    return root if num_found * 2 >= max(1, len(some)) else None
