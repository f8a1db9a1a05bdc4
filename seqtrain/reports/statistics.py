"""Statistics of batches and splits, with warnings about likely mistakes.

Most failed trainings have a problem in their data: constant images, labels of a single class, pixels of 0 to 255 where
the model expects 0 to 1. Each of these is cheap to detect before an hour of training is wasted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.fields import Field
from seqtrain.text import listed

if TYPE_CHECKING:
    from seqtrain.loading.pipeline import Data

_LARGE_IMBALANCE = 10.0
_MAX_NAMED = 8

Counts = dict[int, int]


@dataclass(frozen=True)
class FieldStatistics:
    """The statistics of one array of a batch, with the names that `inspect-batches --json` prints.

    Args:
        shape: The shape, with the batch axis.
        dtype: NumPy's name of the dtype.
        min: The minimum of the finite values; None if there are none, or they are no numbers.
        max: The maximum, likewise.
        mean: The mean, likewise.
        sha256: The hash of the array's bytes in C order, which is equal for equal arrays.
    """

    shape: tuple[int, ...]
    dtype: str
    min: float | int | None
    max: float | int | None
    mean: float | None
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """The statistics as a JSON document."""
        return {**asdict(self), "shape": list(self.shape)}


@dataclass(frozen=True)
class BatchStatistics:
    """The statistics of a batch.

    Args:
        fields: The statistics of each array by its name: `x`, `y`, `x.user`, `sample_weight`.
        label_counts: For each target with classes, the number of samples (for masks: pixels) by class index.
        warnings: Likely mistakes, one sentence each.
    """

    fields: dict[str, FieldStatistics]
    label_counts: dict[str, Counts]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON document; a single target has its label counts directly, several have them by name."""
        texts = {
            name: {str(label): count for label, count in counts.items()} for name, counts in self.label_counts.items()
        }
        return {
            "fields": {name: field.to_json() for name, field in self.fields.items()},
            "label_counts": texts.get("y", texts or None),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class SplitStatistics:
    """The classes of a whole split.

    Args:
        counts: The number of samples by class index, including classes without samples.
        names: The names of the classes, if they are known.
        imbalance: The size of the largest class divided by that of the smallest one with samples.
        warnings: Likely mistakes, one sentence each.
    """

    counts: tuple[int, ...]
    names: tuple[str, ...] | None
    imbalance: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON document, with the counts by class name, or by index without names."""
        names = self.names or tuple(map(str, range(len(self.counts))))
        return {
            "classes": dict(zip(names, self.counts, strict=True)),
            "imbalance": round(self.imbalance, 3),
            "warnings": list(self.warnings),
        }


def batch_statistics(fields: Sequence[Field], sample_ids: Sequence[int] | None = None) -> BatchStatistics:
    """Computes the statistics of one batch, and looks for likely mistakes.

    Args:
        fields: The fields of the batch.
        sample_ids: The samples' indices in the source, in the order of the rows; the warnings name them.
    """
    warnings: list[str] = []
    counts: dict[str, Counts] = {}
    for field in fields:
        warnings += _warnings_of(field, sample_ids)
        if not field.is_target or (field.num_classes is None and field.name != "y"):
            continue
        labels = field.array if field.kind == "mask" else class_indices(field.array, field.num_classes)
        if labels is not None:
            weights = field.weights(fields, labels.shape)
            counts[field.name] = _counted(labels if weights is None else labels[weights.array > 0])
            warnings += _label_warnings(field, labels, sample_ids)
    return BatchStatistics({field.name: field_statistics(field.array) for field in fields}, counts, tuple(warnings))


def split_statistics(
    labels: npt.NDArray[Any], *, num_classes: int | None = None, names: Sequence[str] | None = None
) -> SplitStatistics | None:
    """Counts the classes of a split; None if the labels are no class indices.

    Args:
        labels: The label of each sample of the split.
        num_classes: The number of classes. Default: up to the largest label.
        names: The names of the classes, by index.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iub" or not len(array) or array.min() < 0:
        return None
    length = max(num_classes or 0, len(names or ()), int(array.max()) + 1)
    counts = tuple(np.bincount(array.astype(np.int64), minlength=length).tolist())
    present = [count for count in counts if count]
    known = tuple(names) + tuple(map(str, range(len(names), length))) if names else None
    imbalance = max(present) / min(present)
    return SplitStatistics(counts, known, imbalance, tuple(_split_warnings(counts, known, imbalance)))


def side_statistics(data: Data, indices: npt.NDArray[np.integer]) -> SplitStatistics | None:
    """The statistics of the classes of a side of the split.

    None if the source has no classes, or the targets are not these classes but, for example, whether pairs match.

    Args:
        data: The run's data.
        indices: The samples of the side.
    """
    source, train = data.source, data.train
    own_classes = source.label_classes or source.classes
    if source.labels is None or not len(indices) or train.num_classes is None or train.class_names != own_classes:
        return None
    return split_statistics(source.labels[indices], num_classes=train.num_classes, names=own_classes)


def field_statistics(array: npt.NDArray[Any]) -> FieldStatistics:
    """The statistics of one array; if it has no numbers, only shape, dtype and hash."""
    numbers = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if array.dtype.kind == "b":
        numbers = array.astype(np.uint8)
    minimum = maximum = mean = None
    if array.dtype.kind in "iufb" and numbers.size:
        minimum, maximum = numbers.min().item(), numbers.max().item()
        mean = float(numbers.mean(dtype=np.float64))
    return FieldStatistics(array.shape, str(array.dtype), minimum, maximum, _finite(mean), _sha256(array))


def class_indices(y: npt.NDArray[Any], num_classes: int | None) -> npt.NDArray[np.int64] | None:
    """The class of each sample, from class indices or one-hot rows; None for other targets."""
    if y.dtype.kind not in "iufb":
        return None
    if y.ndim == 2 and y.shape[1] > 1 and y.shape[1] == (num_classes or y.shape[1]):
        one_hot = bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())
        return y.argmax(axis=1).astype(np.int64) if one_hot else None
    flat = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if flat.ndim != 1 or (num_classes is None and flat.dtype.kind == "f"):
        return None
    whole = flat.dtype.kind != "f" or bool((np.isfinite(flat) & (flat == np.floor(flat))).all())
    return flat.astype(np.int64) if whole else None


def _warnings_of(field: Field, sample_ids: Sequence[int] | None) -> list[str]:
    name, array = field.name, field.array
    if array.dtype.kind not in "iufb" or not array.size:
        return []
    rows = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    finite = np.isfinite(rows).all(axis=1)
    warnings = []
    if not finite.all():
        warnings.append(f"{name}: NaN or infinite values in {_samples(~finite, sample_ids)}")
    if field.is_input and field.kind == "pixels":
        constant = finite & (rows.min(axis=1) == rows.max(axis=1))
        if constant.any():
            warnings.append(f"{name}: every pixel is the same in {_samples(constant, sample_ids)}")
        if not field.is_declared:
            warnings += _range_warnings(name, rows[finite])
    return warnings


def _range_warnings(name: str, rows: npt.NDArray[Any]) -> list[str]:
    if rows.dtype.kind != "f" or not rows.size:
        return []
    low, high = float(rows.min()), float(rows.max())
    if low >= -1 and high <= 1:
        return []
    fix = "divide by 255, or leave them uint8 and let the model rescale" if low >= 0 and high <= 255 else "rescale them"
    return [f"{name}: float images from {low:.4g} to {high:.4g}, neither in [0, 1] nor in [-1, 1]; {fix}"]


def _label_warnings(field: Field, labels: npt.NDArray[Any], sample_ids: Sequence[int] | None) -> list[str]:
    warnings = []
    if field.num_classes is not None:
        outside = (labels < 0) | (labels >= field.num_classes)
        if outside.any():
            found = ", ".join(map(str, np.unique(labels[outside])[:5]))
            place = _samples(np.any(outside.reshape(len(labels), -1), axis=1), sample_ids)
            warnings.append(
                f"{field.name}: labels outside the classes 0 to {field.num_classes - 1} ({found}) in {place}"
            )
    is_one_sample = sample_ids is not None and len(set(sample_ids)) == 1  # shown in several epochs
    if len(labels) > 1 and not is_one_sample and (labels == labels.flat[0]).all():
        of = f"any of {len(labels)} masks" if field.kind == "mask" else f"this batch of {len(labels)}"
        warnings.append(f"{field.name}: only class {labels.flat[0]} in {of}")
    return warnings


def _split_warnings(counts: Sequence[int], names: Sequence[str] | None, imbalance: float) -> list[str]:
    labels = names or [str(index) for index in range(len(counts))]
    empty = [label for label, count in zip(labels, counts, strict=True) if not count]
    present = len(counts) - len(empty)
    if present == 1:
        return [f"only one class: '{labels[int(np.argmax(counts))]}'"]
    warnings = [f"no sample of {listed([repr(label) for label in empty], _MAX_NAMED)}"] if empty else []
    if imbalance > _LARGE_IMBALANCE:
        warnings.append(
            f"the largest class has {imbalance:.1f} times the samples of the smallest; "
            "consider `class_weight: balanced`"
        )
    return warnings


def _samples(chosen: npt.NDArray[np.bool_], sample_ids: Sequence[int] | None) -> str:
    rows = np.flatnonzero(chosen).tolist()
    ids = rows if sample_ids is None else [int(sample_ids[row]) for row in rows]
    unit = "row" if sample_ids is None else "sample"
    return f"{unit}{'s' if len(ids) > 1 else ''} {listed(ids, _MAX_NAMED)}"


def _counted(labels: npt.NDArray[Any]) -> Counts:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _sha256(array: npt.NDArray[Any]) -> str:
    if array.dtype.kind == "O":  # the bytes of such an array are addresses
        return hashlib.sha256(repr(array.tolist()).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
