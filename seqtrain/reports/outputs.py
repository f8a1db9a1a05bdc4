"""Compares each output of a model with its target over all batches: classes, masks or values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.classification import ClassificationResults
from seqtrain.reports.fields import Field
from seqtrain.reports.output_spec import OutputSpec, flat_mask
from seqtrain.reports.regression import RegressionResults
from seqtrain.reports.segmentation import SegmentationResults
from seqtrain.reports.statistics import class_indices

Results = ClassificationResults | SegmentationResults | RegressionResults


class OutputResults:
    """Compares one output with its target over all batches.

    Args:
        spec: The spec of the output.

    Attributes:
        name: The name of the target.
        results: The results so far; None if the output cannot be compared with its target.
        skipped: The reason why it cannot.
    """

    def __init__(self, spec: OutputSpec) -> None:
        self.spec = spec
        self.name = spec.target or "y"
        self.skipped = spec.skipped
        self.results: Results | None = None if spec.skipped else _results(spec)

    def add(self, fields: Sequence[Field], predicted: npt.NDArray[Any], names: Sequence[str]) -> None:
        """Adds a batch.

        Args:
            fields: The fields of the batch.
            predicted: The output.
            names: The names of the samples.
        """
        target = next(field for field in fields if field.name == self.name)
        if isinstance(self.results, SegmentationResults):
            ids = with_detected_logits(self.spec, predicted).class_ids(predicted)
            truth = flat_mask(target.array)
            images = _images(fields, self.spec.channels_first)
            weights = target.weights(fields, truth.shape)
            self.results.add(truth, ids, None if weights is None else weights.array, images, names)
        elif isinstance(self.results, ClassificationResults):
            classes = class_indices(target.array, target.num_classes or self.results.num_classes)
            if classes is None:
                self.results, self.skipped = None, "some targets are no single class"
            else:
                self.results.add(classes, predicted)
        elif isinstance(self.results, RegressionResults):
            self.results.add(target.array.reshape(predicted.shape), predicted)


def with_detected_logits(spec: OutputSpec, predicted: npt.NDArray[Any]) -> OutputSpec:
    """The spec, with `from_logits` if scores are outside 0 to 1, since not every loss has that argument."""
    are_logits = spec.from_logits or bool(((predicted < 0) | (predicted > 1)).any())
    return dataclasses.replace(spec, from_logits=are_logits)


def _results(spec: OutputSpec) -> Results:
    if spec.kind in ("mask", "volume"):
        return SegmentationResults(spec.num_classes, spec.classes)
    if spec.kind == "classes":
        return ClassificationResults(spec.num_classes, spec.classes, spec.from_logits)
    if len(spec.scales) == 1:
        ((column, scale),) = spec.scales.items()
        return RegressionResults(column, scale)
    name = (spec.target or "").partition(".")[2]
    return RegressionResults(name, unit="standard deviations" if spec.scales else "")


def _images(fields: Sequence[Field], channels_first: bool) -> npt.NDArray[Any] | None:
    """The images that the masks belong to, with channels last."""
    found = next((f.array for f in fields if f.is_input and f.kind == "pixels"), None)
    return np.moveaxis(found, 1, -1) if found is not None and channels_first else found
