"""Shows a batch without images as a table of its first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from seqtrain.reports.fields import Field
from seqtrain.text import aligned

_MAX_COLUMNS = 12  # columns of one field; a field with more is shown in a single column


def table(
    fields: Sequence[Field],
    sample_ids: Sequence[int] | None = None,
    num_rows: int = 10,
    order: Sequence[int] | None = None,
    beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """The first rows of a batch as plain text; ids are shown by their names, and numbers in named columns.

    Args:
        fields: The fields of the batch.
        sample_ids: The index in the source of each row.
        num_rows: The number of rows to show.
        order: The order of the rows. Default: as in the batch.
        beside: Additional columns by name, with a text for each row of the batch.

    Example:
        sample  x.user  x.item  y
        ------  ------  ------  ---
        12      3       17      4.5
    """
    columns: list[tuple[str, list[str]]] = []
    size = len(fields[0].array) if fields else 0
    chosen = list(order if order is not None else range(size))[:num_rows]
    for field in fields:
        shown = field.array[chosen]
        if shown.ndim == 2 and shown.shape[1] == len(field.columns) <= _MAX_COLUMNS:
            columns += [(name, [cell_text(value) for value in shown[:, at]]) for at, name in enumerate(field.columns)]
        else:
            columns.append((field.name, [_named(field, value) for value in shown]))
    columns += [(name, [texts[row] for row in chosen]) for name, texts in beside.items()]
    header = ["row" if sample_ids is None else "sample", *(name for name, _ in columns)]
    ids = chosen if sample_ids is None else [sample_ids[row] for row in chosen]
    rows = (
        [[str(id_), *cells] for id_, *cells in zip(ids, *(cells for _, cells in columns), strict=False)]
        if columns
        else []
    )
    widths = [max(len(line[position]) for line in [header, *rows]) for position in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(aligned(lines))


def _named(field: Field, value: Any) -> str:
    """A value as text; for a class or a category, its name."""
    is_id = np.ndim(value) == 0 and field.class_names is not None and field.array.dtype.kind in "iu"
    return field.class_name(int(value)) if is_id else cell_text(value)


def cell_text(value: Any) -> str:
    """The value of one sample as a short text; of an array, the first items."""
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.6g}" if array.dtype.kind == "f" else str(array.item())
    flat = array.ravel()
    items = [f"{item:.4g}" if array.dtype.kind == "f" else str(item) for item in flat[:6].tolist()]
    rest = f", … {flat.size} in all" if flat.size > len(items) else ""
    return f"[{', '.join(items)}{rest}]"
