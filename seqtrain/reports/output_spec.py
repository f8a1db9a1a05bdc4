"""Decides the kind of each output of a model: class probabilities, values, masks, images, or a plain array.

One function, `output_specs`, decides it by the targets that the outputs are trained to predict: their kind, the names
of their classes, and the scale that was taken out of them. `predict`, the final plots of a run and
`inspect-batches --run` all use its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.loading.pipeline import Data
from seqtrain.loading.preprocessing_state import target_scales
from seqtrain.reports.fields import Field
from seqtrain.reports.statistics import class_indices
from seqtrain.sequences.fitted import Scale
from seqtrain.structure import named_leaves

OutputKind = Literal["classes", "values", "mask", "volume", "picture", "array"]
Array = npt.NDArray[Any]

MOST_CLASSES = 2000  # with more, the confusion matrix would take more than 32 MB
_DIGITS = 6
_MAX_COLUMNS = 1000
_WHITE = 255


@dataclass(frozen=True)
class OutputSpec:
    """One output of a model.

    Args:
        name: The name of the output; empty if the model has only one.
        kind: The kind of the output.
        classes: The names of the classes, if they are known.
        columns: The names of its numbers, if they fit into a row of a table.
        scales: The mean and std by which each column of the target was scaled.
        from_logits: Whether the output is logits, which must be converted to probabilities.
        channels_first: Whether masks and images have the channels first.
        target: The name of the field that it predicts, such as `y.price`; None if unknown.
        num_classes: The number of classes, for classes and masks.
        skipped: Why it cannot be compared with its target; empty if it can.
    """

    name: str
    kind: OutputKind
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    from_logits: bool = False
    channels_first: bool = False
    target: str | None = None
    num_classes: int = 0
    skipped: str = ""

    @property
    def is_tabular(self) -> bool:
        """Whether it fits into the rows of a table: named classes, or values with a name each."""
        return self._has_named_classes or bool(self.columns)

    def headings(self) -> list[str]:
        """The headings of its columns in a table."""
        if not self._has_named_classes:
            return list(self.columns)
        prefix = f"{self.name}_" if self.name else ""
        return [self.name or "class", f"{prefix}probability", *(f"{prefix}p_{each}" for each in self.classes)]

    def cells(self, output: Array) -> list[list[Any]]:
        """The cells of each row, in the order of `headings`; None for NaN and infinite numbers."""
        if not self._has_named_classes:
            return [
                [_rounded(each) for each in row] for row in self._in_units(output).reshape(len(output), -1).tolist()
            ]
        rows = self.probabilities(output)
        best = rows.argmax(axis=1).tolist()
        shown = [[_rounded(each) for each in row] for row in rows.tolist()]
        return [[self.classes[index], row[index], *row] for index, row in zip(best, shown, strict=True)]

    def probabilities(self, output: Array) -> Array:
        """The probabilities (rows, classes), also if a model returns only that of the second of two classes."""
        numbers = _flat(output).astype(np.float64)
        if numbers.shape[1] == 1:
            second = np.exp(-np.logaddexp(0, -numbers)) if self.from_logits else numbers
            return np.concatenate([1 - second, second], axis=1)
        if not self.from_logits:
            return numbers
        powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def in_units(self, output: Array) -> Array:
        """The output; scaled values are converted back to the unit of the data, as float32 or float64."""
        if not self.columns or not self.scales:
            return output
        return self._in_units(output).astype(np.float64 if output.dtype == np.float64 else np.float32)

    def class_ids(self, output: Array) -> npt.NDArray[np.integer[Any]]:
        """The class of each pixel or voxel: (rows, height, width) or (rows, depth, height, width)."""
        axis = 1 if self.channels_first else -1
        has_channels = output.ndim > (3 if self.kind == "mask" else 4)
        if has_channels and output.shape[axis] > 1:
            return np.asarray(output.argmax(axis=axis))
        scores = np.take(output, 0, axis) if has_channels else output
        return (scores > (0.0 if self.from_logits else 0.5)).astype(np.int64)

    def mask(self, output: Array) -> npt.NDArray[np.uint8]:
        """The mask of one sample; see `class_ids`."""
        return np.asarray(self.class_ids(output[None])[0], np.uint8)

    def image(self, output: Array) -> npt.NDArray[np.uint8]:
        """The image of one sample, (height, width) or (height, width, 3), from outputs between 0 and 1."""
        image = np.moveaxis(output, 0, -1) if self.channels_first else output
        pixels = np.clip(np.rint(image.astype(np.float32) * _WHITE), 0, _WHITE).astype(np.uint8)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels

    @property
    def _has_named_classes(self) -> bool:
        return self.kind == "classes" and bool(self.classes)

    def _in_units(self, output: Array) -> Array:
        scales = list(self.scales.values())
        mean, std = np.array([each.mean for each in scales] or [0.0]), np.array([each.std for each in scales] or [1.0])
        return np.asarray(output.astype(np.float64) * std + mean)


@dataclass(frozen=True)
class TrainingInfo:
    """Facts from the config and the data of a run about the training of its outputs.

    Args:
        loss: The loss in the config, or the losses by output.
        columns: The columns to predict, for a table or a series.
        scales: The mean and std by which each column was scaled.
        channels_first: Whether images and masks have the channels first.
    """

    loss: Any
    columns: Sequence[str] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    channels_first: bool = False

    @classmethod
    def of(cls, data: Data, model: Any) -> TrainingInfo:
        """The facts about a run; without `compile` in the config, the loss is that of the compiled model."""
        loss = data.config.compile.loss if data.config.compile else getattr(model, "loss", None)
        return cls(loss, tuple(data.source.targets), target_scales(data), data.train.data_format == "channels_first")

    def loss_of(self, output: str) -> Any:
        """The loss of one output."""
        return self.loss.get(output) if isinstance(self.loss, Mapping) else self.loss


def outputs_of(outputs: Any) -> dict[str, Array]:
    """The arrays of a model's outputs by name; a single output has an empty name."""
    return {_short(name): leaf for name, leaf in named_leaves((None, outputs))}


def pairs_of(fields: Sequence[Field], outputs: Mapping[str, Array]) -> list[tuple[Field, str]]:
    """Each target with the name of the output that predicts it: the same name, or else the same position.

    Args:
        fields: The fields of a batch.
        outputs: The outputs of the model; see `outputs_of`.
    """
    targets = [field for field in fields if field.is_target]
    if all(_short(field.name) in outputs for field in targets):
        return [(field, _short(field.name)) for field in targets]
    return list(zip(targets, outputs, strict=True)) if len(targets) == len(outputs) else []


def output_specs(fields: Sequence[Field], outputs: Mapping[str, Array], info: TrainingInfo) -> dict[str, OutputSpec]:
    """The spec of each output, by its name.

    Args:
        fields: The fields of a batch, including the targets.
        outputs: The outputs of the model for this batch; see `outputs_of`.
        info: How the model was trained.
    """
    targets = {name: field for field, name in pairs_of(fields, outputs)}
    return {name: _spec(name, output, targets.get(name), info) for name, output in outputs.items()}


def _spec(name: str, output: Array, target: Field | None, info: TrainingInfo) -> OutputSpec:
    columns = _columns(name, output, target, info)
    if target is None:
        kind: OutputKind = "values" if columns else "array"
        return OutputSpec(name, kind, columns=columns, skipped="the outputs of the model do not stand for the targets")
    loss = info.loss_of(name)
    compared, num_classes, skipped = _compared(output, target, str(loss).lower(), info.channels_first)
    names = target.class_names or ()
    fits_names = output.ndim <= 2 and _are_scores(int(np.prod(output.shape[1:])), len(names))
    kind = compared or ("classes" if fits_names and output.ndim == 2 else "values" if columns else "array")
    of_target = [name] if name in info.columns else info.columns
    is_scaled = kind == "values" and any(each in info.scales for each in of_target)
    return OutputSpec(
        name,
        kind,
        classes=names if kind in ("mask", "volume") or (kind == "classes" and fits_names) else (),
        columns=columns if kind in ("classes", "values") else (),
        scales={each: info.scales.get(each, Scale(0.0, 1.0)) for each in of_target} if is_scaled else {},
        from_logits=bool(getattr(loss, "arguments", {}).get("from_logits", False)),
        channels_first=info.channels_first,
        target=target.name,
        num_classes=num_classes,
        skipped=skipped,
    )


def _compared(output: Array, target: Field, loss: str, channels_first: bool) -> tuple[OutputKind | None, int, str]:
    """The kind of an output, the number of classes, and why it cannot be compared with its target (or "").

    The kind is None if the target does not decide it.
    """
    values, count = target.array, target.num_classes
    if target.kind == "mask":
        return _masks(output, target, channels_first)
    if target.kind == "pixels":
        return "picture" if target.is_declared and values.ndim == 4 else "array", 0, "the targets are pictures"
    if not count and output.size == len(output) == values.size:
        is_class = _takes_score(loss) and bool(np.isin(values, (0, 1)).all())
        return ("classes", 2, "") if is_class else ("values", 0, "")
    if (count or values.dtype.kind in "iub") and class_indices(values, count) is not None:
        return _classes(output, target, loss)
    if values.dtype.kind != "f" or count:
        return None, 0, "the targets are neither a class nor values"
    if values.size != output.size or len(values) != len(output):
        return None, 0, f"targets {values.shape[1:]} and outputs {output.shape[1:]} have no one shape"
    return "values", 0, ""


def _masks(output: Array, target: Field, channels_first: bool) -> tuple[OutputKind | None, int, str]:
    flat = flat_mask(target.array)
    axis = 1 if channels_first else -1
    channels = output.shape[axis] if output.ndim > flat.ndim else 1
    count = target.num_classes or max(2, channels)
    if output.ndim not in (flat.ndim, flat.ndim + 1):
        return None, count, f"outputs {output.shape[1:]} are no masks"
    fits = channels in (1, count) and (channels > 1 or count == 2)
    skipped = "" if fits else f"outputs {output.shape[1:]} are no masks of {count} classes"
    return "mask" if flat.ndim == 3 else "volume", count, skipped


def _classes(output: Array, target: Field, loss: str) -> tuple[OutputKind | None, int, str]:
    width = int(np.prod(output.shape[1:]))
    count = target.num_classes or max(2, width)
    if output.ndim > 2 or not _are_scores(width, count):
        return None, count, f"outputs {output.shape[1:]} are no scores of {count} classes"
    if width == 1 and not _takes_score(loss):
        return None, count, f"outputs {output.shape[1:]} are no scores: the loss compares something else"
    return "classes", count, f"{count} classes are more than a picture can show" if count > MOST_CLASSES else ""


def _are_scores(width: int, num_classes: int) -> bool:
    """Whether `width` numbers can be the scores of the classes; for two classes, one score is enough."""
    return width == num_classes > 0 or (width, num_classes) == (1, 2)


def _takes_score(loss: str) -> bool:
    """Whether a loss takes a single output as the probability or logit of one of two classes."""
    return any(word in loss for word in ("crossentropy", "cross_entropy", "focal"))


def _columns(name: str, output: Array, target: Field | None, info: TrainingInfo) -> tuple[str, ...]:
    """The names of an output's numbers; none if there are too many, or the shape is not that of the target."""
    if target is not None and target.in_spec:
        fits = output.shape[1:] in (target.array.shape[1:], (*target.array.shape[1:], 1))
    else:
        fits = output.ndim == 2
    size = int(np.prod(output.shape[1:]))
    if not fits:
        return ()
    of_target = (name,) if name in info.columns else tuple(info.columns)
    if target is not None and target.kind == "series" and of_target:
        columns = tuple(f"{column}_{step + 1}" for step in range(output.shape[1]) for column in of_target)
    elif len(of_target) == size:
        columns = of_target
    else:
        columns = (name or "value",) if size == 1 else tuple(f"{name or 'value'}_{each}" for each in range(size))
    return columns if len(columns) <= _MAX_COLUMNS else ()


def flat_mask(mask: Array) -> Array:
    """Masks without the last axis, if that has length 1."""
    return mask[..., 0] if mask.shape[-1] == 1 and mask.ndim > 3 else mask


def _flat(output: Array) -> Array:
    """A row of numbers for each sample, even if there is no sample."""
    return output.reshape(len(output), int(np.prod(output.shape[1:])))


def _short(name: str) -> str:
    return name.partition(".")[2]


def _rounded(number: float) -> float | None:
    return float(f"{number:.{_DIGITS}g}") if np.isfinite(number) else None
