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
from seqtrain.reports.sheet_layout import ALARM, FAINT, INK, draw_sheet
from seqtrain.reports.statistics import class_indices
from seqtrain.reports.tiles import (
    NOT_COUNTED,
    as_bytes,
    beside,
    class_color,
    gray_or_rgb,
    image_tile,
    volume_tile,
)
from seqtrain.types import DataFormat

MOST_IMAGES = 64
_MAX_CLASSES = 3  # classes of a mask whose shares are shown under its image
_UNNAMED = "class {}"
_IMAGE_AXES, _VOLUME_AXES = 4, 5  # the axes of a batch, with channels

Draw = Callable[[int], tuple[Image.Image, str]]
Scales = dict[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One set of images of the samples; a sheet shows several sets side by side, the batch itself first.

    Args:
        name: The name that is shown, such as "predicted"; "" to show the names of the fields.
        fields: The fields to draw, with a row for each row of the batch.
        over: Series that are drawn over those of the fields with the same names.
    """

    name: str
    fields: Sequence[Field]
    over: Sequence[Field] = ()


@dataclass(frozen=True)
class Remark:
    """A line of text under a sample.

    Args:
        text: A short text.
        is_alarming: Whether to highlight it.
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
    """Draws the samples of a batch in a grid, each with its label and its number; None if nothing can be drawn.

    Args:
        panels: The batch, of which at most `MOST_IMAGES` samples are drawn, and further panels to draw beside it.
        title: The line at the top, such as "train, epoch 1, batch 3".
        sample_ids: The samples' indices in the source, in the order of the rows.
        sample_names: The samples' file names, which are shown beside the indices.
        data_format: The position of the channels of images.
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
    count = min(size, MOST_IMAGES)
    if size > count:
        notes.append(f"first {count} of {size}")
    tiles, captions = [], []
    for row in range(count):
        drawn = [draw(row) for draw in drawings]
        tiles.append(beside([tile for tile, _ in drawn]))
        number = f"#{sample_ids[row]}" if sample_ids is not None else f"row {row}"
        where = "  ".join([number, *sample_names[row : row + 1], *(note for _, note in drawn if note)])
        lines = [(each.text, ALARM if each.is_alarming else INK) for each in (remarks[row] if remarks else ())]
        captions.append([*((label, INK) for label in _labels(fields, row)), *lines, (where.rstrip(), FAINT)])
    return draw_sheet(tiles, captions, title + "".join(f"  ({note})" for note in notes), legend_of(panels))


def _drawings(panel: Panel, data_format: DataFormat, scales: Scales) -> tuple[list[Draw], list[str]]:
    """The functions that draw a sample's tiles, and notes for the title.

    Args:
        panel: The panel to draw.
        data_format: The position of the channels of images.
        scales: The values shown as black and white, by field name and type, so that all panels use the same.
    """
    drawings: list[Draw] = []
    notes: list[str] = []
    fields = panel.fields
    image_fields = [field for field in fields if field.kind == "pixels"]
    masks = [field for field in fields if field.kind == "mask"]
    for field in image_fields:
        key = field.name, "float" if field.array.dtype.kind == "f" else field.array.dtype.name
        images = field.channels_last(data_format)[:MOST_IMAGES]
        pixels, (low, high) = as_bytes(gray_or_rgb(images, images.ndim >= _IMAGE_AXES), scales.get(key))
        scales.setdefault(key, (low, high))
        mask = next((_shown_ids(m, fields) for m in masks if m.array.shape[1:] == pixels.shape[1 : m.array.ndim]), None)
        drawings.append(_drawing(field, pixels, mask))
        if field.array.dtype != np.uint8:
            name = f"{field.name}: " if len(image_fields) > 1 else ""
            notes.append(f"{name}{field.array.dtype}, black = {low:.4g}, white = {high:.4g}")
    for chart in series_charts(fields, panel.over):
        drawings.append(chart.draw)
        notes += [chart.note] if chart.note else []
    return drawings, list(dict.fromkeys(notes))


def _panel_names(panel: Panel) -> list[str]:
    """The names of the tiles from left to right: images, then charts of series."""
    images = [field for field in panel.fields if field.kind == "pixels"]
    names = [field.name.partition(".")[2] or ("input" if field.is_input else "target") for field in images]
    names += [chart.name for chart in series_charts(panel.fields)]
    if panel.name:
        return [panel.name] if len(names) == 1 else [f"{panel.name} {name}" for name in names]
    return names


def _drawing(field: Field, pixels: npt.NDArray[np.uint8], mask: npt.NDArray[Any] | None) -> Draw:
    is_volume = field.array.ndim == _VOLUME_AXES

    def draw(row: int) -> tuple[Image.Image, str]:
        ids = None if mask is None else mask[row]
        return volume_tile(pixels[row], ids) if is_volume else (image_tile(pixels[row], ids), "")

    return draw


def _labels(fields: Sequence[Field], row: int) -> list[str]:
    """The targets of a sample as lines of text: a class, a value, or the shares of the classes of a mask."""
    targets = [field for field in fields if field.is_target and field.kind not in ("pixels", "series")]
    lines = [
        (field.name.removeprefix("y").removeprefix("."), line) for field in targets for line in _target(field, row)
    ]
    return [f"{name} {line}".lstrip() for name, line in lines]


def _target(field: Field, row: int) -> list[str]:
    if field.kind == "mask":
        ids, counts = np.unique(field.array[row], return_counts=True)
        shares = zip((100 * counts / counts.sum()).tolist(), ids.tolist(), strict=True)
        largest = sorted((each for each in shares if each[1]), reverse=True)[:_MAX_CLASSES]
        return [f"{field.class_name(id_, _UNNAMED)} {share:.1f} %" for share, id_ in largest]
    classes = class_indices(field.array, field.num_classes) if field.num_classes else None
    return [cell_text(field.array[row]) if classes is None else field.class_name(int(classes[row]), _UNNAMED)]


def _shown_ids(mask: Field, fields: Sequence[Field]) -> npt.NDArray[np.int32]:
    """The class ids of a mask; `NOT_COUNTED` for pixels with weight 0."""
    ids = mask.array[:MOST_IMAGES].astype(np.int32)
    weights = mask.weights(fields)
    if weights is not None:
        ids[weights.array[:MOST_IMAGES] == 0] = NOT_COUNTED
    return ids


def legend_of(panels: Sequence[Panel]) -> list[tuple[str, str]]:
    """The colour and name of each class in the drawn masks, and of each line of the series."""
    names: dict[int, str] = {}
    lines: list[tuple[str, str]] = []
    for panel in panels:
        masks = next((field for field in panel.fields if field.kind == "mask"), None)
        if masks is not None:
            for id_ in np.unique(_shown_ids(masks, panel.fields)).tolist():
                names[id_] = "not counted" if id_ == NOT_COUNTED else masks.class_name(id_, _UNNAMED)
        lines += [line for chart in series_charts(panel.fields, panel.over) for line in chart.legend]
    return [*((class_color(id_), name) for id_, name in sorted(names.items()) if id_), *dict.fromkeys(lines)]
