"""Configs for tables, series, ratings and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from seqtrain.init.detection import Size
from seqtrain.init.picture_recipes import filters
from seqtrain.init.recipe import Recipe

_CLASSES: dict[str, Any] = {
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "monitor": "val_accuracy",
}
_NUMBERS: dict[str, Any] = {"loss": "mse", "metrics": ["mae"], "monitor": "val_mae"}
_SCALED = "What is predicted is scaled, so mae is in standard deviations."


def table_rows(
    about: str,
    source: Mapping[str, Any],
    kind: Literal["number", "class"],
    batch_size: int,
    split: tuple[str, str | None],
    is_imbalanced: bool = False,
) -> Recipe:
    """Rows of a table with one target.

    Args:
        about: See `Recipe`.
        source: See `Recipe`.
        kind: Of the target.
        batch_size: See `Recipe`.
        split: How rows are divided, and the column of their groups.
        is_imbalanced: Whether classes differ much in size.
    """
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "table"},
        model={"name": "tabular", "units": [64, 32]},
        by=split[0],
        column=split[1],
        batch_size=batch_size,
        class_weight="balanced" if is_imbalanced else None,
        why={
            "source": "What is predicted, as a number or a class; `ignore` names columns that are left out.",
            "sequence": "Numbers are scaled by the training rows, categories become ids, empty cells are filled.",
            **({"compile": _SCALED} if kind == "number" else {}),
        },
        **(_NUMBERS if kind == "number" else _CLASSES),
    )


def forecast(about: str, source: Mapping[str, Any], batch_size: int) -> Recipe:
    """Windows of time series."""
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "windows"},
        model={"name": "forecaster", "filters": [32, 32]},
        by="ordered",
        batch_size=batch_size,
        patience=5,
        why={
            "source": "From `window` steps of `columns`, the next `horizon` steps of `target`.",
            "sequence": "Columns are scaled by the training rows.",
            "split": "The first four fifths of each file train, what comes after validates: no look into the future.",
            "compile": _SCALED,
        },
        **_NUMBERS,
    )


def rating_rows(about: str, source: Mapping[str, Any], batch_size: int) -> Recipe:
    """Ratings of items by users."""
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "ratings"},
        model={"name": "recommender", "embedding_size": 16},
        loss="mse",
        metrics=["mae"],
        batch_size=batch_size,
        patience=4,
        why={"model": "`embedding_size` is how many numbers describe a user and an item."},
    )


def picture_rows(about: str, source: Mapping[str, Any], size: Size, batch_size: int, by: str) -> Recipe:
    """Pictures with a class each, stored as rows of numbers."""
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "arrays"},
        model={"name": "cnn", "filters": filters(size)},
        by=by,
        batch_size=batch_size,
        **_CLASSES,
    )


def array_rows(
    about: str,
    source: Mapping[str, Any],
    sequence: Mapping[str, Any],
    model: Mapping[str, Any],
    batch_size: int,
    by: str | None,
) -> Recipe:
    """Samples that are arrays.

    Args:
        about: See `Recipe`.
        source: See `Recipe`.
        sequence: See `Recipe`.
        model: See `Recipe`.
        batch_size: See `Recipe`.
        by: How classes are divided; None where numbers are predicted.
    """
    return Recipe(
        about=about,
        source=source,
        sequence=sequence,
        model=model,
        by=by or "random",
        batch_size=batch_size,
        why={"source": "Samples and labels stay on disk and are read as batches ask for them."},
        **(_NUMBERS if by is None else _CLASSES),
    )


def sums() -> Recipe:
    """No data at all."""
    return Recipe(
        about="A regression that needs no data: two random numbers in, their sum out.",
        source={"name": "synthetic_sum", "num_samples": 4096},
        sequence={"name": "arrays"},
        model={"name": "mlp", "units": [16]},
        learning_rate=1e-2,
        epochs=10,
        **_NUMBERS,
    )
