"""What the numbers that a model puts out mean: probabilities of classes, values, masks, pictures, or just an array.

Judged by the targets that the model was trained on: their kind, the names of their classes, and the scale that was
taken out of them, which goes back in. Only classes and values fit into the rows of a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.inference.trained_run import TrainedRun
from seqtrain.sequences.fitted import scales_of
from seqtrain.structure import FieldSpec, named_leaves

Kind = Literal["classes", "values", "mask", "volume", "picture", "array"]
Array = npt.NDArray[Any]

_DIGITS = 6
_MOST_COLUMNS = 1000
_WHITE = 255
_HALF = 0.5


@dataclass(frozen=True)
class OutputSpec:
    """One output of a model.

    Args:
        name: Of the output; empty where there is one.
        kind: What its numbers are.
        classes: Of classes and masks.
        columns: The names of values.
        mean: What is added to values, after they are multiplied by `deviation`.
        deviation: See `mean`.
        from_logits: Whether probabilities are still to be made of them.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    mean: Array | float = 0.0
    deviation: Array | float = 1.0
    from_logits: bool = False

    @property
    def is_tabular(self) -> bool:
        """Whether it fits into the rows of a table."""
        return self.kind in ("classes", "values")

    def headings(self) -> list[str]:
        """The columns that it takes."""
        if self.kind == "values":
            return list(self.columns)
        prefix = f"{self.name}_" if self.name else ""
        return [self.name or "class", f"{prefix}probability", *(f"{prefix}p_{each}" for each in self.classes)]

    def cells(self, output: Array) -> list[list[Any]]:
        """The cells of each row, in the order of `headings`; None for what is no finite number."""
        if self.kind == "values":
            return [[_rounded(each) for each in row] for row in self.values(output).tolist()]
        rows = self.probabilities(output)
        best = rows.argmax(axis=1).tolist()
        shown = [[_rounded(each) for each in row] for row in rows.tolist()]
        return [[self.classes[index], row[index], *row] for index, row in zip(best, shown, strict=True)]

    def probabilities(self, output: Array) -> Array:
        """(rows, classes), also where a model puts out the second of two alone."""
        numbers = output.astype(np.float64)
        if numbers.shape[1] == 1:
            second = np.exp(-np.logaddexp(0, -numbers)) if self.from_logits else numbers
            return np.concatenate([1 - second, second], axis=1)
        if not self.from_logits:
            return numbers
        powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def values(self, output: Array) -> Array:
        """(rows, columns), in the units of the data."""
        scaled = output.astype(np.float64) * self.deviation + self.mean
        return np.asarray(scaled.reshape(len(output), -1))

    def in_units(self, output: Array) -> Array:
        """The output in its own shape; values that were scaled in the units of the data, in float32 at least."""
        if self.kind != "values" or (np.all(self.mean == 0) and np.all(self.deviation == 1)):
            return output
        dtype = np.float64 if output.dtype == np.float64 else np.float32
        return self.values(output).reshape(output.shape).astype(dtype)

    def mask(self, output: Array, channels_first: bool) -> npt.NDArray[np.uint8]:
        """The class of each pixel or voxel of one sample."""
        axis = 0 if channels_first else -1
        if output.shape[axis] == 1:
            threshold = 0.0 if self.from_logits else _HALF
            return np.asarray(np.take(output, 0, axis) > threshold, dtype=np.uint8)
        return np.asarray(output.argmax(axis=axis), dtype=np.uint8)

    def picture(self, output: Array, channels_first: bool) -> npt.NDArray[np.uint8]:
        """The picture of one sample, (height, width) or (height, width, 3), of numbers from 0 to 1."""
        picture = np.moveaxis(output, 0, -1) if channels_first else output
        pixels = np.clip(np.rint(picture.astype(np.float32) * _WHITE), 0, _WHITE).astype(np.uint8)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def output_specs_of(run: TrainedRun) -> list[OutputSpec]:
    """The outputs of a run's model, in the order of `outputs_of`."""
    outputs = outputs_of(run.example)
    sequence = run.data.train
    spec = sequence.spec[1] if sequence.spec and len(sequence.spec) > 1 else None
    specs = {} if spec is None else _leaves(spec)
    if specs.keys() != outputs.keys() and len(specs) == len(outputs):
        specs = dict(zip(outputs, specs.values(), strict=True))
    fitted: dict[str, Any] = getattr(sequence, "fitted", dict)()
    columns = tuple(run.data.source.targets)
    heads = []
    for name, output in outputs.items():
        target: FieldSpec | None = specs.get(name)
        classes = (target and target.classes) or (sequence.class_names if len(outputs) == 1 else None)
        logits = _from_logits(run, name)
        named = (name,) if name in columns else columns
        heads.append(_head(name, output, target, tuple(classes or ()), logits, _Scales(fitted, named)))
    return heads


def outputs_of(outputs: Any) -> dict[str, Array]:
    """The arrays of a model's outputs by name; the name of a single one is empty."""
    return _leaves(outputs)


@dataclass(frozen=True)
class _Scales:
    """The columns to predict, and what was taken out of them."""

    fitted: Mapping[str, Any]
    columns: Sequence[str]

    def of(self, part: str) -> Array:
        """The mean or the deviation of each column; what leaves numbers as they are, where nothing was fitted."""
        scales = scales_of(self.fitted)
        nothing = 0.0 if part == "mean" else 1.0
        return np.array([scales.get(name, {}).get(part, nothing) for name in self.columns] or [nothing])


def _head(
    name: str, output: Array, target: FieldSpec | None, classes: tuple[str, ...], logits: bool, scales: _Scales
) -> OutputSpec:
    width = output.shape[1] if output.ndim > 1 else 0
    if target is not None and target.kind == "mask" and output.ndim == len(target.shape) + 2:
        return OutputSpec(name, "mask" if len(target.shape) == 2 else "volume", classes, from_logits=logits)
    if output.ndim == 2 and classes and (width == len(classes) or (width, len(classes)) == (1, 2)):
        return OutputSpec(name, "classes", classes, from_logits=logits)
    if target is not None and target.kind == "pixels" and len(target.shape) == 3:
        return OutputSpec(name, "picture")
    columns = _columns(name, output, target, scales)
    shapes = ((width,),) if target is None else (target.shape, (*target.shape, 1))
    if output.shape[1:] in shapes and len(columns) <= _MOST_COLUMNS:
        return OutputSpec(name, "values", columns=columns, mean=scales.of("mean"), deviation=scales.of("deviation"))
    return OutputSpec(name, "array")


def _columns(name: str, output: Array, target: FieldSpec | None, scales: _Scales) -> tuple[str, ...]:
    if target is not None and target.kind == "series" and scales.columns:
        return tuple(f"{column}_{step + 1}" for step in range(output.shape[1]) for column in scales.columns)
    size = int(np.prod(output.shape[1:]))
    if len(scales.columns) == size:
        return tuple(scales.columns)
    return (name or "value",) if size == 1 else tuple(f"{name or 'value'}_{number}" for number in range(size))


def _from_logits(run: TrainedRun, name: str) -> bool:
    """Whether the config says that the loss takes logits."""
    loss: Any = run.loaded.config.compile.loss if run.loaded.config.compile else None
    loss = loss.get(name) if isinstance(loss, Mapping) else loss
    return bool(getattr(loss, "arguments", {}).get("from_logits", False))


def _leaves(structure: Any) -> dict[str, Any]:
    return {name.removeprefix("x").lstrip("."): leaf for name, leaf in named_leaves((structure,))}


def _rounded(number: float) -> float | None:
    return float(f"{number:.{_DIGITS}g}") if np.isfinite(number) else None
