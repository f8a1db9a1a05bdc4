"""The weight of each class, as `fit.class_weight` asks for it: by name or index, or balanced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, did_you_mean, one_of
from seqtrain.sources.base import Source

Weights = npt.NDArray[np.float32]
OfClasses = Literal["balanced"] | Mapping[str, float]


def weights_of_targets(
    config: OfClasses | Mapping[str, OfClasses], source: Source, indices: npt.NDArray[np.integer], train: Any
) -> Weights | dict[str, Weights]:
    """The class weights for the targets of a sequence.

    Args:
        config: See `class_weights`; if the model has several outputs, by the name of the output.
        source: See `class_weights`.
        indices: The training samples.
        train: The training sequence, whose targets are weighted.

    Raises:
        ConfigError: see `class_weights`; also when an output is not named, or does not exist.
    """
    targets = train.spec[1] if train.spec and len(train.spec) > 1 else None
    is_by_output = isinstance(config, Mapping) and any(not isinstance(value, (int, float)) for value in config.values())
    if isinstance(targets, tuple | list):
        raise ConfigError(
            "fit.class_weight needs outputs with names, and this run has a list of them",
            fix="give y as a dict in the sequence, and the outputs of the model the same names",
        )
    if isinstance(targets, Mapping):
        if not is_by_output:
            raise ConfigError(
                "fit.class_weight: this run has several outputs",
                expected=f"a mapping of output to weights; the outputs are {', '.join(targets)}",
                fix=f"write `{{{next(iter(targets))}: balanced}}`",
            )
        return _weights_by_output(config, source, indices, targets)  # type: ignore[arg-type]  # by `is_by_output`
    if is_by_output:
        raise ConfigError("fit.class_weight names outputs, and this run has one", fix="give the weights themselves")
    are_masks = targets is not None and targets.kind == "mask"
    labels = source.label_classes or source.classes
    if config == "balanced" and targets is not None and not are_masks and train.class_names != labels:
        raise ConfigError(
            "fit.class_weight: balanced counts the source's labels, and the sequence makes targets of its own",
            received=f"classes {one_of(train.class_names or ())}, of labels {one_of(labels or ())}",
            fix="give the weights themselves, or remove this line",
        )
    return class_weights(config, source, indices, train.class_names, are_masks=are_masks)  # type: ignore[arg-type]  # by `is_by_output`


def _weights_by_output(
    config: Mapping[str, OfClasses], source: Source, indices: npt.NDArray[np.integer], targets: Mapping[str, Any]
) -> dict[str, Weights]:
    for name in config:
        if name not in targets:
            raise ConfigError(
                f"fit.class_weight: no output '{name}'", expected=one_of(targets), fix=did_you_mean(name, targets)
            )
    return {
        name: class_weights(of_output, source, indices, targets[name].classes, name, targets[name].kind == "mask")
        for name, of_output in config.items()
    }


def class_weights(
    config: OfClasses,
    source: Source,
    indices: npt.NDArray[np.integer],
    classes: tuple[str, ...] | None,
    output: str | None = None,
    are_masks: bool = False,
) -> Weights:
    """The weight of each class by class index.

    Args:
        config: A weight by class name or index, 1 for classes that are left out; or "balanced".
        source: The source whose labels or mask pixels are counted.
        indices: The training samples.
        classes: The classes' names.
        output: The source's column of class indices, if there are several outputs.
        are_masks: Whether targets are masks.

    Raises:
        ConfigError: when there are no classes, or a name is not a class.

    Source: for "balanced", G. King and L. Zeng, 2001, Logistic Regression in Rare Events Data: samples / (classes *
        samples of the class).
    """
    if classes is None:
        raise ConfigError("fit.class_weight needs targets that are classes", fix="remove this line")
    if isinstance(config, str):
        counts = source.class_counts(indices) if are_masks else _label_counts(source, indices, len(classes), output)
        present = np.count_nonzero(counts)
        return np.where(counts > 0, counts.sum() / (present * np.maximum(counts, 1)), 1).astype(np.float32)
    weights: Weights = np.ones(len(classes), dtype=np.float32)
    for name, weight in config.items():
        weights[_class_index(name, classes)] = weight
    return weights


def _label_counts(
    source: Source, indices: npt.NDArray[np.integer], num_classes: int, output: str | None
) -> npt.NDArray[np.integer]:
    labels = source.labels if output is None else source.column(output) if source.has_columns else None
    is_class = labels is not None and labels.ndim == 1 and labels.dtype.kind in "iufb"
    if labels is None or not is_class or labels[indices].max() >= num_classes:
        raise ConfigError(
            "fit.class_weight: balanced needs a source with one class label per sample"
            + ("" if output is None else f", by the output's name '{output}'"),
            fix="give the weights themselves",
        )
    return np.bincount(labels[indices].astype(np.int64), minlength=num_classes)


def _class_index(name: str, classes: tuple[str, ...]) -> int:
    if name in classes:
        return classes.index(name)
    if name.isdigit() and int(name) < len(classes):
        return int(name)
    raise ConfigError(f"fit.class_weight: no class '{name}'", expected=one_of(classes), fix=did_you_mean(name, classes))
