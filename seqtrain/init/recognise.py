"""All that a folder can be, likeliest first.

What names its parts comes before what is only laid out like it: outlines and codes before folders of masks, these
before class folders, tables of paths before tables, and images without labels last.
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

# Where a table is one of these, nobody means its rows of numbers and words.
_TABLES_OF_OTHERS = frozenset(
    {"image_manifest", "pair_manifest", "encoded_masks", "volume_classification", "csv_pixels", "ratings"}
)


def recognise(listing: Listing) -> list[Detection]:
    """Everything that a folder can be, one of each kind.

    Raises:
        DataError: when nothing is recognised; where something is nearly right, what is wrong with it.
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
        found = {kind: find for kind, find in found.items() if find.task != "autoencoding"}  # masks are no pictures
    if problems and all(find.task == "autoencoding" for find in found.values()):
        raise problems[0]  # what is nearly right is no heap of pictures
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
    """What is nearly something else is told with the likeliest find."""
    mistakes = [problem.mistakes[0] for problem in problems]
    notes = tuple(f"passed over: {mistake.where or ''}: {mistake.message}" for mistake in mistakes)
    return [replace(finds[0], notes=(*finds[0].notes, *notes)), *finds[1:]]


def chosen(finds: Sequence[Detection], task: str) -> Detection:
    """The first find of a task or a kind.

    Raises:
        ConfigError: when there is no such task or kind.
        DataError: when the folder is nothing of it.
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
