"""Detects all kinds of data that a folder may hold, the most likely first.

Kinds that a file describes explicitly come before kinds that only the layout suggests: outlines and run-length codes
before folders of masks, these before class folders, tables of paths before tables, and images without labels last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seqtrain.errors import ConfigError, DataError, SeqtrainError, did_you_mean, one_of
from seqtrain.init.arrays import arrays
from seqtrain.init.class_folders import class_folders
from seqtrain.init.csv_sample import check_is_text
from seqtrain.init.detection import Detection
from seqtrain.init.kinds import KINDS, TASKS
from seqtrain.init.listing import Listing
from seqtrain.init.manifests import manifests
from seqtrain.init.mask_pairs import mask_pairs
from seqtrain.init.object_masks import object_masks
from seqtrain.init.plain_images import plain_images
from seqtrain.init.series import series
from seqtrain.init.tables import pixel_tables, ratings, tables
from seqtrain.init.volumes import volumes

_LOOKERS: tuple[Callable[[Listing], Iterator[Detection]], ...] = (
    volumes,
    object_masks,
    mask_pairs,
    manifests,
    class_folders,
    ratings,
    pixel_tables,
    arrays,
    series,
    tables,
    plain_images,
)

# If a table is one of these kinds, do not suggest it as a plain table too.
_TABLES_OF_OTHERS = frozenset(
    {"image_manifest", "pair_manifest", "encoded_masks", "volume_classification", "csv_pixels", "ratings"}
)


def recognise(listing: Listing) -> list[Detection]:
    """Every kind of data that the folder may hold, at most one detection per kind.

    Raises:
        DataError: when nothing is recognised; if a kind nearly matches, with its problem.
    """
    found: dict[str, Detection] = {}
    problems: list[SeqtrainError] = []
    for look in _LOOKERS:
        try:
            for find in look(listing):
                found.setdefault(find.kind, find)
        except SeqtrainError as error:
            problems.append(error)
    if found.keys() & _TABLES_OF_OTHERS:
        found.pop("table", None)
    if any(find.task == "segmentation" for find in found.values()):
        found = {kind: find for kind, find in found.items() if find.task != "autoencoding"}  # not on masks
    if problems and all(find.task == "autoencoding" for find in found.values()):
        raise problems[0]  # a kind that nearly matches is more helpful than "images without labels"
    if found:
        return _with_problems(list(found.values()), problems)
    check_is_text(listing)
    raise DataError(
        "nothing here that is recognised",
        where=listing.root,
        expected="images, tables, arrays or volumes, laid out as in `seqtrain init --template list`",
        received=_extensions(listing),
        fix="name the folder of the data itself, or begin with --template",
    )


def _with_problems(finds: list[Detection], problems: list[SeqtrainError]) -> list[Detection]:
    """Adds the problems of kinds that nearly match to the notes of the most likely detection."""
    mistakes = [problem.mistakes[0] for problem in problems]
    notes = tuple(f"passed over: {mistake.where or ''}: {mistake.message}" for mistake in mistakes)
    return [replace(finds[0], notes=(*finds[0].notes, *notes)), *finds[1:]]


def chosen(finds: Sequence[Detection], task: str) -> Detection:
    """The first detection with this task or kind.

    Raises:
        ConfigError: when there is no such task or kind.
        DataError: when the folder holds no data for it.
    """
    for find in finds:
        if task in (find.kind, find.task):
            return find
    here = one_of(dict.fromkeys([name for find in finds for name in (find.task, find.kind)]))
    if task in KINDS or task in TASKS:
        raise DataError(f"--task: the folder does not look like {task}", expected=here, fix="or begin with --template")
    raise ConfigError(
        f"--task: there is no '{task}'",
        expected=here,
        fix=did_you_mean(task, [*TASKS, *KINDS]) or "choose one of these",
    )


def _extensions(listing: Listing) -> str:
    counts: dict[str, int] = {}
    for file in listing.files:
        extension = Path(file).suffix.lower() or "no extension"
        counts[extension] = counts.get(extension, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])[:6]
    return "files: " + ", ".join(f"{count:,} of {extension}" for extension, count in most)
