"""What there is to say of each output of a model: as a classifier, of masks or of values, or why nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.classification import MOST_CLASSES, ClassificationResults
from seqtrain.reports.fields import Field
from seqtrain.reports.regression import RegressionResults
from seqtrain.reports.segmentation import SegmentationResults
from seqtrain.reports.statistics import class_indices
from seqtrain.structure import named_leaves

Results = ClassificationResults | SegmentationResults | RegressionResults


def pairs_of(fields: Sequence[Field], outputs: Any) -> list[tuple[Field, Any]]:
    """Each target with the output that predicts it: of the same name, else in the same place.

    Args:
        fields: Of a batch.
        outputs: Nested as the model's outputs are.
    """
    targets = [field for field in fields if field.is_target]
    made = dict(named_leaves((None, outputs)))
    if all(field.name in made for field in targets):
        return [(field, made[field.name]) for field in targets]
    return list(zip(targets, made.values(), strict=True)) if len(targets) == len(made) else []


class Output:
    """One target and what the model makes of it, over all batches.

    Args:
        field: The target of the first batch.
        predicted: The model's output for it.
        loss: The words of the config's loss: a single score is a class only where a loss takes it as one.
        channels_first: Whether the classes of masks come before height and width.
    """

    def __init__(self, field: Field, predicted: npt.NDArray[Any], loss: str, channels_first: bool) -> None:
        self.name = field.name
        self._class_axis = 1 if channels_first else -1
        self._num_classes = field.num_classes
        made = results_of(field, predicted, loss, self._class_axis)
        self.results: Results | None = None if isinstance(made, str) else made
        self.skipped = made if isinstance(made, str) else None

    def add(self, fields: Sequence[Field], predicted: npt.NDArray[Any], names: Sequence[str]) -> None:
        """Adds a batch.

        Args:
            fields: All of it.
            predicted: The model's output for this target.
            names: Of the samples.
        """
        target = next(field for field in fields if field.name == self.name)
        if isinstance(self.results, SegmentationResults):
            ids = mask_ids(predicted, target.array, self._class_axis)
            self.results.add(
                flat_mask(target.array), ids, _weights(target, fields), _pictures(fields, self._class_axis), names
            )
        elif isinstance(self.results, ClassificationResults):
            truth = class_indices(target.array, self._num_classes or self.results.num_classes)
            if truth is None:
                self.results, self.skipped = None, "some targets are no single class"
            else:
                self.results.add(truth, predicted)
        elif isinstance(self.results, RegressionResults):
            self.results.add(target.array.reshape(predicted.shape), predicted)


def results_of(field: Field, predicted: npt.NDArray[Any], loss: str, class_axis: int) -> Results | str:
    """Where the results of an output are gathered, or why there are none."""
    target, name = field.array, field.name.partition(".")[2]
    if field.kind == "mask":
        channels = predicted.shape[class_axis] if predicted.ndim > flat_mask(target).ndim else 1
        return _of_masks(field, predicted, channels)
    if field.kind == "pixels":
        return "the targets are pictures"
    if not field.num_classes and predicted.size == len(predicted) == target.size:
        is_class = _is_score(loss) and bool(np.isin(target, (0, 1)).all())
        return ClassificationResults(2) if is_class else RegressionResults(name)
    classes = class_indices(target, field.num_classes)
    if classes is not None and (field.num_classes or target.dtype.kind in "iub"):
        return _of_classes(field, predicted, loss)
    if target.dtype.kind != "f" or field.num_classes:
        return "the targets are neither a class nor values"
    if target.size != predicted.size or len(target) != len(predicted):
        return f"targets {target.shape[1:]} and outputs {predicted.shape[1:]} have no one shape"
    return RegressionResults(name)


def _of_masks(field: Field, predicted: npt.NDArray[Any], channels: int) -> Results | str:
    count = field.num_classes or max(2, channels)
    if channels not in (1, count) or (channels == 1 and count != 2):
        return f"outputs {predicted.shape[1:]} are no masks of {count} classes"
    return SegmentationResults(count, field.class_names)


def _of_classes(field: Field, predicted: npt.NDArray[Any], loss: str) -> Results | str:
    width = int(np.prod(predicted.shape[1:]))
    count = field.num_classes or max(2, width)
    if predicted.ndim > 2 or width not in (1, count) or (width == 1 and count != 2):
        return f"outputs {predicted.shape[1:]} are no scores of {count} classes"
    if width == 1 and not _is_score(loss):
        return f"outputs {predicted.shape[1:]} are no scores: the loss compares something else"
    if count > MOST_CLASSES:
        return f"{count} classes are more than a picture can show"
    return ClassificationResults(count, field.class_names)


def _is_score(loss: str) -> bool:
    """Whether a loss takes a single output as the score of a class."""
    return any(word in loss for word in ("crossentropy", "cross_entropy", "focal"))


def flat_mask(mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A mask without the axis of its one channel."""
    return mask[..., 0] if mask.shape[-1] == 1 and mask.ndim > 3 else mask


def mask_ids(predicted: npt.NDArray[Any], target: npt.NDArray[Any], class_axis: int) -> npt.NDArray[np.integer[Any]]:
    """The class of each pixel: the largest score, or of two classes the sign of the only one."""
    flat = flat_mask(target)
    if predicted.ndim > flat.ndim and predicted.shape[class_axis] > 1:
        return np.asarray(predicted.argmax(axis=class_axis))
    are_logits = bool(((predicted < 0) | (predicted > 1)).any())
    return (predicted.reshape(flat.shape) > (0 if are_logits else 0.5)).astype(np.int64)


def _weights(target: Field, fields: Sequence[Field]) -> npt.NDArray[Any] | None:
    wanted = target.name.replace("y", "sample_weight", 1)
    shape = flat_mask(target.array).shape
    return next((f.array for f in fields if f.name == wanted and f.array.shape == shape), None)


def _pictures(fields: Sequence[Field], class_axis: int) -> npt.NDArray[Any] | None:
    """What the masks are of, with channels last."""
    found = next((f.array for f in fields if f.is_input and f.kind == "pixels"), None)
    return np.moveaxis(found, 1, -1) if found is not None and class_axis == 1 else found
