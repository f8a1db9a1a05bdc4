"""Draws a batch as an image: a grid of its samples with their labels.

A sample may be an image with the outline of its mask, a pair or an input and its target side by side, three planes of a
volume, or a series and its forecast. Float images with values outside 0 to 1 are scaled to their own range, which the
title states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seqtrain.reports.batch_table import cell_text
from seqtrain.reports.fields import Field
from seqtrain.reports.series_chart import series_charts
from seqtrain.reports.sheet_layout import ALARM, FAINT, INK, laid_out
from seqtrain.reports.statistics import class_indices
from seqtrain.reports.tiles import (
    NOT_COUNTED,
    as_bytes,
    beside,
    class_color,
    picture_tile,
    volume_tile,
)
from seqtrain.types import DataFormat

MOST_PICTURES = 64
_MOST_CLASSES = 3  # of a mask, whose shares stand under its picture
_UNNAMED = "class {}"
_PICTURE, _VOLUME = 4, 5  # axes of a batch, with channels

Draw = Callable[[int], tuple[Image.Image, str]]
Scales = dict[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One set of pictures of the samples; a sheet shows several side by side, the batch itself first.

    Args:
        name: That people know it by, such as "predicted"; "" for the names of the fields.
        fields: With a row for each row of the batch.
        over: Series that are laid over those of the fields that have their names.
    """

    name: str
    fields: Sequence[Field]
    over: Sequence[Field] = ()


@dataclass(frozen=True)
class Remark:
    """A line under a sample.

    Args:
        text: A few words.
        is_alarming: Whether it is to stand out.
    """

    text: str
    is_alarming: bool = False


def contact_sheet(
    panels: Sequence[Panel],
    *,
    title: str,
    sample_ids: Sequence[int] | None = None,
    sample_names: Sequence[str] = (),
    data_format: DataFormat = "channels_last",
    remarks: Sequence[Sequence[Remark]] = (),
) -> Image.Image | None:
    """Draws the samples of a batch in a grid, each with its label and its number; None where nothing can be drawn.

    Args:
        panels: The batch, of which at most `MOST_PICTURES` samples are drawn, and what is drawn beside it.
        title: The line on top, such as "train, epoch 1, batch 3".
        sample_ids: The samples' indices in the source, in the order of the rows.
        sample_names: Their files' names, which stand beside these.
        data_format: Where the channels of pictures are, if there are any.
        remarks: Lines under each sample, by row.
    """
    fields = panels[0].fields
    scales: Scales = {}
    drawings: list[Draw] = []
    notes: list[str] = []
    names: list[str] = []
    for panel in panels:
        of_panel, notes_of_panel = _drawings(panel, data_format, scales)
        if not drawings and not of_panel:
            return None
        prefix = f"{panel.name}: " if drawings else ""
        notes += [f"{prefix}{note}" for note in notes_of_panel if note not in notes]
        drawings += of_panel
        names += _panel_names(panel)
    if len(names) > 1:
        notes.insert(0, " | ".join(names))
    size = len(fields[0].array)
    count = min(size, MOST_PICTURES)
    if size > count:
        notes.append(f"first {count} of {size}")
    tiles, captions = [], []
    for row in range(count):
        drawn = [draw(row) for draw in drawings]
        tiles.append(beside([tile for tile, _ in drawn]))
        number = f"#{sample_ids[row]}" if sample_ids is not None else f"row {row}"
        where = "  ".join([number, *sample_names[row : row + 1], *(words for _, words in drawn if words)])
        lines = [(each.text, ALARM if each.is_alarming else INK) for each in (remarks[row] if remarks else ())]
        captions.append([*((label, INK) for label in _labels(fields, row)), *lines, (where.rstrip(), FAINT)])
    return laid_out(tiles, captions, title + "".join(f"  ({note})" for note in notes), legend_of(panels))


def _drawings(panel: Panel, data_format: DataFormat, scales: Scales) -> tuple[list[Draw], list[str]]:
    """What to draw of each sample, and notes for the title.

    Args:
        panel: With the fields to draw.
        data_format: Where the channels of pictures are.
        scales: What is black and white of the fields so far, which others of the same name and type go by.
    """
    drawings: list[Draw] = []
    notes: list[str] = []
    fields = panel.fields
    pictures = [field for field in fields if field.kind == "pixels"]
    masks = [field for field in fields if field.kind == "mask"]
    for field in pictures:
        key = field.name, "float" if field.array.dtype.kind == "f" else field.array.dtype.name
        pixels, (low, high) = as_bytes(_channels(field.channels_last(data_format)[:MOST_PICTURES]), scales.get(key))
        scales.setdefault(key, (low, high))
        mask = next((_shown_ids(m, fields) for m in masks if m.array.shape[1:] == pixels.shape[1 : m.array.ndim]), None)
        drawings.append(_drawing(field, pixels, mask))
        if field.array.dtype != np.uint8:
            name = f"{field.name}: " if len(pictures) > 1 else ""
            notes.append(f"{name}{field.array.dtype}, black = {low:.4g}, white = {high:.4g}")
    for chart in series_charts(fields, panel.over):
        drawings.append(chart.draw)
        notes += [chart.note] if chart.note else []
    return drawings, list(dict.fromkeys(notes))


def _panel_names(panel: Panel) -> list[str]:
    """What the pictures are called from left to right; charts of series come last."""
    pictures = [field for field in panel.fields if field.kind == "pixels"]
    names = [field.name.partition(".")[2] or ("input" if field.is_input else "target") for field in pictures]
    names += [chart.name for chart in series_charts(panel.fields)]
    if panel.name:
        return [panel.name] if len(names) == 1 else [f"{panel.name} {name}" for name in names]
    return names


def _drawing(field: Field, pixels: npt.NDArray[np.uint8], mask: npt.NDArray[Any] | None) -> Draw:
    is_volume = field.array.ndim == _VOLUME

    def draw(row: int) -> tuple[Image.Image, str]:
        ids = None if mask is None else mask[row]
        return volume_tile(pixels[row], ids) if is_volume else (picture_tile(pixels[row], ids), "")

    return draw


def _labels(fields: Sequence[Field], row: int) -> list[str]:
    """The targets of a sample in words, a line each: a class, a value, the share of a mask's classes."""
    targets = [field for field in fields if field.is_target and field.kind not in ("pixels", "series")]
    words = [
        (field.name.removeprefix("y").removeprefix("."), line) for field in targets for line in _target(field, row)
    ]
    return [f"{name} {line}".lstrip() for name, line in words]


def _target(field: Field, row: int) -> list[str]:
    if field.kind == "mask":
        ids, counts = np.unique(field.array[row], return_counts=True)
        shares = zip((100 * counts / counts.sum()).tolist(), ids.tolist(), strict=True)
        largest = sorted((each for each in shares if each[1]), reverse=True)[:_MOST_CLASSES]
        return [f"{field.class_name(id_, _UNNAMED)} {share:.1f} %" for share, id_ in largest]
    classes = class_indices(field.array, field.num_classes) if field.num_classes else None
    return [cell_text(field.array[row]) if classes is None else field.class_name(int(classes[row]), _UNNAMED)]


def _shown_ids(mask: Field, fields: Sequence[Field]) -> npt.NDArray[np.int32]:
    """The class ids of a mask, `NOT_COUNTED` where a pixel has the weight 0."""
    ids = mask.array[:MOST_PICTURES].astype(np.int32)
    weights = mask.weights(fields)
    if weights is not None:
        ids[weights.array[:MOST_PICTURES] == 0] = NOT_COUNTED
    return ids


def legend_of(panels: Sequence[Panel]) -> list[tuple[str, str]]:
    """Colour and name of each class that the drawn masks hold, or of the lines of series."""
    names: dict[int, str] = {}
    lines: list[tuple[str, str]] = []
    for panel in panels:
        masks = next((field for field in panel.fields if field.kind == "mask"), None)
        if masks is not None:
            for id_ in np.unique(_shown_ids(masks, panel.fields)).tolist():
                names[id_] = "not counted" if id_ == NOT_COUNTED else masks.class_name(id_, _UNNAMED)
        lines += [line for chart in series_charts(panel.fields, panel.over) for line in chart.legend]
    return [*((class_color(id_), name) for id_, name in sorted(names.items()) if id_), *dict.fromkeys(lines)]


def _channels(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pictures of one channel (the first), without its axis, or of three colours with channels last."""
    if images.ndim < _PICTURE:
        return images
    return images[..., :3] if images.shape[-1] in (3, 4) else images[..., 0]
