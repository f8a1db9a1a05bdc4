"""Detects all kinds of data that a folder may hold, the most likely first.

Kinds that a file describes explicitly come before kinds that only the folder layout suggests: outlines and run-length
codes before folders of masks, those before class folders, tables of paths before plain tables, and images without
labels last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seqtrain.errors import ConfigError, DataError, SeqtrainError, did_you_mean, one_of
from seqtrain.init.arrays import arrays
from seqtrain.init.class_folders import class_folders
from seqtrain.init.csv_sample import check_is_utf8
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

_DETECTORS: tuple[Callable[[Listing], Iterator[Detection]], ...] = (
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

# If one of these kinds is found, its table is not suggested as a plain table too.
_KINDS_WITH_TABLES = frozenset(
    {"image_manifest", "pair_manifest", "encoded_masks", "volume_classification", "csv_pixels", "ratings"}
)


def recognise(listing: Listing) -> list[Detection]:
    """Every kind of data that the folder may hold, with one detection per kind.

    Raises:
        DataError: when nothing is recognised; it names the problem of a kind that nearly matches, if any.
    """
    found: dict[str, Detection] = {}
    problems: list[SeqtrainError] = []
    for detector in _DETECTORS:
        try:
            for detection in detector(listing):
                found.setdefault(detection.kind, detection)
        except SeqtrainError as error:
            problems.append(error)
    if found.keys() & _KINDS_WITH_TABLES:
        found.pop("table", None)
    if any(detection.task == "segmentation" for detection in found.values()):  # an autoencoder would train on masks
        found = {kind: detection for kind, detection in found.items() if detection.task != "autoencoding"}
    if problems and all(detection.task == "autoencoding" for detection in found.values()):
        raise problems[0]  # the problem of a kind that nearly matches helps more than "images without labels"
    if found:
        return _with_problems(list(found.values()), problems)
    check_is_utf8(listing)
    raise DataError(
        "nothing here that is recognised",
        where=listing.root,
        expected="images, tables, arrays or volumes, laid out as in `seqtrain init --template list`",
        received=_extensions(listing),
        fix="name the folder of the data itself, or begin with --template",
    )


def _with_problems(detections: list[Detection], problems: list[SeqtrainError]) -> list[Detection]:
    """Adds the problems of kinds that nearly matched to the notes of the most likely detection."""
    mistakes = [problem.mistakes[0] for problem in problems]
    notes = tuple(f"passed over: {mistake.where or ''}: {mistake.message}" for mistake in mistakes)
    return [replace(detections[0], notes=(*detections[0].notes, *notes)), *detections[1:]]


def detection_for(detections: Sequence[Detection], task: str) -> Detection:
    """The first detection with this task or kind.

    Raises:
        ConfigError: when there is no such task or kind.
        DataError: when the folder holds no data for it.
    """
    for detection in detections:
        if task in (detection.kind, detection.task):
            return detection
    available = one_of(dict.fromkeys([name for detection in detections for name in (detection.task, detection.kind)]))
    if task in KINDS or task in TASKS:
        raise DataError(
            f"--task: the folder does not look like {task}", expected=available, fix="or begin with --template"
        )
    raise ConfigError(
        f"--task: there is no '{task}'",
        expected=available,
        fix=did_you_mean(task, [*TASKS, *KINDS]) or "choose one of these",
    )


def _extensions(listing: Listing) -> str:
    counts: dict[str, int] = {}
    for file in listing.files:
        extension = Path(file).suffix.lower() or "no extension"
        counts[extension] = counts.get(extension, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])[:6]
    return "files: " + ", ".join(f"{count:,} of {extension}" for extension, count in most)
