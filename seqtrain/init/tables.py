"""Detects tables whose rows are samples, ratings, or images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import isqrt
from typing import Any

import numpy as np

from seqtrain.init.columns import column_roles, group_column, likely_targets, target_kind
from seqtrain.init.csv_sample import CsvSample, check_decimal_points, csv_samples, is_for_test, normalized_name
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import fitting_batch_size
from seqtrain.init.listing import Listing
from seqtrain.init.recipe import Recipe, Size, filters
from seqtrain.sources.number_text import is_number
from seqtrain.sources.table_file import read_columns

_USERS = ("userid", "user", "reviewerid", "customerid")
_ITEMS = ("movieid", "itemid", "item", "movie", "productid", "bookid", "isbn", "songid", "artistid")
_RATINGS = ("rating", "stars", "score", "overall", "bookrating")
_LEAST_PIXELS = 16
_IMBALANCED = 3
_SHOWN = 8
_SUPPORTED = (".csv", ".parquet")


def ratings(listing: Listing) -> Iterator[Detection]:
    """Finds tables of ratings, with a header or in the format of MovieLens's u.data."""
    for sample in csv_samples(listing):
        columns = sample.named(*_USERS), sample.named(*_ITEMS), sample.named(*_RATINGS)
        is_plain = not sample.header and sample.file.endswith("u.data")
        if not is_plain and (None in columns or not all(map(is_number, sample.column(columns[0] or "")))):
            continue
        source: dict[str, Any] = {"name": "ratings", "path": listing.path(sample.file)}
        defaults = ("userId", "movieId", "rating")
        keys = ("user_column", "item_column", "rating_column")
        if not is_plain:
            source |= {k: c for k, c, w in zip(keys, columns, defaults, strict=True) if c != w}
        recipe = Recipe("ratings", f"Ratings: {sample.rows_text()}.", source, fitting_batch_size(sample.num_rows, 256))
        seen = (("ratings", f"{sample.rows_text()} in {sample.file}"),)
        yield Detection("ratings", seen, lambda answers, recipe=recipe: recipe)  # type: ignore[misc]  # mypy infers no lambda with a default


def pixel_tables(listing: Listing) -> Iterator[Detection]:
    """Finds tables with a column for each pixel."""
    for sample in csv_samples(listing):
        size = _pixels(sample)
        if size is None or sample.path.suffix == ".parquet":
            continue
        (height, width), channels, label = size
        source: dict[str, Any] = {
            "name": "csv_pixels",
            "path": listing.path(sample.file),
            "image_size": [height, width],
        }
        source |= {"channels": channels} if channels > 1 else {}
        source |= {"label_column": label} if label not in (None, "label") else {}
        labels = Counter(sample.column(label) if label else (row[0] for row in sample.rows))
        batch_size = fitting_batch_size(sample.num_rows)
        by = "stratified" if min(labels.values()) > 1 else "random"
        about = f"Pictures as rows of a CSV: {sample.rows_text()}."
        model = {"name": "cnn", "filters": filters((height, width))}
        recipe = Recipe("arrays", about, source, batch_size, by, values={"model": model})
        seen = (
            (
                "pictures",
                f"{sample.rows_text()} in {sample.file}, {height}x{width}{', 3 channels' if channels > 1 else ''}",
            ),
            ("classes", f"{len(labels)}: {', '.join(sorted(labels)[:_SHOWN])}{', ...' * (len(labels) > _SHOWN)}"),
        )
        yield Detection("csv_pixels", seen, lambda answers, recipe=recipe: recipe)  # type: ignore[misc]  # mypy infers no lambda with a default


def tables(listing: Listing) -> Iterator[Detection]:
    """Finds tables whose rows are samples: training tables first, larger tables before smaller ones."""
    samples = [sample for sample in csv_samples(listing) if sample.header and sample.path.suffix.lower() in _SUPPORTED]
    for sample in sorted(samples, key=lambda sample: (is_for_test(sample.file), -sample.path.stat().st_size)):
        check_decimal_points(sample)
        roles = column_roles(sample)
        targets, target = likely_targets(sample, roles)
        if len(targets) < 2 or target is None:
            continue
        others = [other.file for other in samples if other is not sample]
        others_note = (f"other tables are not used: {', '.join(others[:_SHOWN])}",) if others else ()
        ignored_note = (
            (f"left out, as rows differ or agree in all, or as dates: {', '.join(roles.ignored)}",)
            if roles.ignored
            else ()
        )
        seen = (
            ("table", f"{sample.rows_text()} in {sample.file}"),
            (
                "columns",
                f"{len(sample.header)}: {', '.join(sample.header[:_SHOWN])}{', ...' * (len(sample.header) > _SHOWN)}",
            ),
        )
        yield Detection(
            "table",
            seen,
            lambda answers, sample=sample: _table(listing, sample, answers.target or ""),  # type: ignore[misc]  # mypy infers no lambda with a default
            Answers(target=target),
            tuple(targets),
            (*others_note, *ignored_note),
        )


def _table(listing: Listing, sample: CsvSample, target: str) -> Recipe:
    roles = column_roles(sample)
    kind = target_kind(sample, target)
    group = group_column(sample)
    ignored = [*(name for name in roles.ignored if name != target), *([group] if group in roles.features else [])]
    source: dict[str, Any] = {"name": "table", "path": listing.path(sample.file), "targets": {target: kind}}
    source |= {"ignore": ignored} if ignored else {}
    about = f"A table of {sample.rows_text()}: {target} is predicted from the other columns."
    by, is_imbalanced = "random", False
    if kind == "class":
        counts = np.bincount(read_columns(sample.path, {target: "category"}).categories[target].codes.clip(0))
        by, is_imbalanced = "stratified" if counts.min() > 1 else "random", counts.max() >= _IMBALANCED * counts.min()
    batch_size = fitting_batch_size(sample.num_rows, 256)
    values = {"is_number": kind == "number", "is_imbalanced": bool(is_imbalanced)}
    if group is not None and group != target:
        return Recipe("table", about, source, batch_size, "group", group, values)
    return Recipe("table", about, source, batch_size, by, values=values)


def _pixels(sample: CsvSample) -> tuple[Size, int, str | None] | None:
    """The size, the number of channels and the label's column, if each row is an image; else None."""
    width = len(sample.rows[0]) if sample.rows else 0
    label = sample.named("label", "class", "target", "y", "digit") if sample.header else None
    if width - 1 < _LEAST_PIXELS or (sample.header and label is None):
        return None
    is_named = bool(sample.header) and all(_names_pixel(name) for name in sample.header if name != label)
    is_bytes = all(cell.isdecimal() and int(cell) <= 255 for row in sample.rows[:20] for cell in row)
    if not is_bytes or not (is_named or (not sample.header and width > 64)):
        return None
    for channels in (1, 3):
        edge = isqrt((width - 1) // channels)
        if edge * edge * channels == width - 1:
            return (edge, edge), channels, label
    return None


def _names_pixel(name: str) -> bool:
    """Whether a column has a name such as `pixel0`, `px_3`, `1x1` or `17`."""
    return normalized_name(name).strip("0123456789") in ("pixel", "px", "x", "p", "") and any(map(str.isdecimal, name))
