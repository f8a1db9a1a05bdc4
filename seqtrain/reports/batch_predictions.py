"""Compares the predictions for one batch with its targets, sample by sample, the worst first.

For classes, the wrong predictions come first, starting with the most confident one, then the right ones, starting with
the least confident one. For other targets, the largest errors come first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.contact_sheet import Panel, Remark
from seqtrain.reports.fields import Field
from seqtrain.reports.output_spec import OutputSpec, TrainingInfo, flat_mask, output_specs, pairs_of
from seqtrain.reports.outputs import with_detected_logits
from seqtrain.reports.statistics import class_indices
from seqtrain.reports.tiles import COLORS

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Prediction:
    """The predictions of one target, by row.

    Args:
        name: The name of the target.
        document: The prediction of each row for JSON.
        remarks: The prediction of each row as text.
        worst_first: A rank for each row, the lowest for the worst prediction.
        fields: Predicted images or masks to draw beside the batch's own; empty if the text is enough.
        over: Predicted series to draw over the batch's own.
        truth: The target of each row as text; empty if it has no short text.
    """

    name: str
    document: dict[str, Any]
    remarks: Sequence[Remark]
    worst_first: npt.NDArray[Any]
    fields: Sequence[Field] = ()
    over: Field | None = None
    truth: Sequence[str] = ()


@dataclass(frozen=True)
class BatchPredictions:
    """The predictions of all targets of a batch, and the reason for each target without predictions."""

    outputs: Sequence[Prediction]
    skipped: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The predictions by target, in the order of the rows."""
        skipped = {name: {"skipped": why} for name, why in self.skipped.items()}
        return {**{each.name: each.document for each in self.outputs}, **skipped}

    @property
    def order(self) -> list[int] | None:
        """The rows, the worst predictions first; None without predictions."""
        return np.argsort(self._ranked_output.worst_first, kind="stable").tolist() if self.outputs else None

    @property
    def panels(self) -> list[Panel]:
        """The images to draw beside the batch."""
        return [Panel("predicted", each.fields) for each in self.outputs if each.fields]

    @property
    def over(self) -> list[Field]:
        """The series to draw over the batch's own."""
        return [each.over for each in self.outputs if each.over is not None]

    def worst(self) -> list[tuple[float, int, str, str]]:
        """Rank, row, target and prediction of each wrong prediction, or of each sample if none can be wrong."""
        if not self.outputs:
            return []
        ranked = self._ranked_output
        rows = [row for row in self.order or () if ranked.document.get("wrong", [True] * len(ranked.remarks))[row]]
        return [(float(ranked.worst_first[row]), row, self._truth(row), self._prediction(row)) for row in rows]

    def remarks(self, row: int) -> list[Remark]:
        """The lines of text under a sample."""
        return [
            dataclasses.replace(each.remarks[row], text=self._named(each, each.remarks[row].text))
            for each in self.outputs
        ]

    def columns(self) -> dict[str, list[str]]:
        """The predictions of each target as text, by column name."""
        return {
            f"predicted {each.name}": [remark.text.removeprefix("predicted ") for remark in each.remarks]
            for each in self.outputs
        }

    @property
    def _ranked_output(self) -> Prediction:
        """The output that decides the order of the rows: the first whose predictions are right or wrong, if any."""
        return next((each for each in self.outputs if "wrong" in each.document), self.outputs[0])

    def _truth(self, row: int) -> str:
        return ", ".join(self._named(each, each.truth[row]) for each in self.outputs if each.truth)

    def _prediction(self, row: int) -> str:
        return ", ".join(remark.text for remark in self.remarks(row))

    def _named(self, output: Prediction, text: str) -> str:
        name = output.name.partition(".")[2] if len(self.outputs) > 1 else ""
        return f"{name} {text}".lstrip()

    def lines(self) -> list[str]:
        """A line for each target."""
        lines = []
        for each in self.outputs:
            wrong = sum(remark.is_alarming for remark in each.remarks)
            if "wrong" in each.document:
                lines.append(f"predictions of {each.name}: {wrong} of {len(each.remarks)} are wrong")
            else:
                name = "IoU" if "iou" in each.document else "error"
                lines.append(f"predictions of {each.name}: mean {name} {np.mean(each.document[name.lower()]):.4g}")
        return lines + [f"no predictions of {name}: {why}" for name, why in self.skipped.items()]


def batch_predictions(
    fields: Sequence[Field], outputs: Mapping[str, npt.NDArray[Any]], info: TrainingInfo
) -> BatchPredictions:
    """Compares the outputs of a model with the targets of a batch.

    Args:
        fields: The fields of the batch.
        outputs: The outputs of the model by name.
        info: How the model was trained.
    """
    pairs, specs = pairs_of(fields, outputs), output_specs(fields, outputs, info)
    predictions: list[Prediction] = []
    skipped = {} if pairs else {"y": "the outputs of the model do not stand for the targets"}
    for field, name in pairs:
        found = _prediction(field, outputs[name], specs[name], fields)
        if isinstance(found, str):
            skipped[field.name] = found
        else:
            predictions.append(found)
    return BatchPredictions(predictions, skipped)


def _prediction(
    field: Field, predicted: npt.NDArray[Any], spec: OutputSpec, fields: Sequence[Field]
) -> Prediction | str:
    if field.kind in ("pixels", "series") and predicted.size == field.array.size:
        return _image_or_series_prediction(field, predicted, fields)
    if spec.skipped:
        return spec.skipped
    if spec.kind in ("mask", "volume"):
        return _mask_prediction(field, with_detected_logits(spec, predicted).class_ids(predicted), fields)
    if spec.kind == "classes":
        truth = class_indices(field.array, field.num_classes or spec.num_classes)
        if truth is None:
            return "some targets are no single class"
        return _class_prediction(field, truth, with_detected_logits(spec, predicted).probabilities(predicted))
    return _value_prediction(field, predicted)


def _class_prediction(field: Field, truth: npt.NDArray[np.int64], probabilities: Floats) -> Prediction:
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = predicted != truth
    document = {
        "kind": "classification",
        "predicted": predicted.tolist(),
        "probability": [round(each, 6) for each in confidence.tolist()],
        "wrong": wrong.tolist(),
    }
    remarks = [
        Remark(f"predicted {field.class_name(class_id)}, {100 * share:.0f} %", is_wrong)
        for class_id, share, is_wrong in zip(predicted.tolist(), confidence.tolist(), wrong.tolist(), strict=True)
    ]
    truths = [field.class_name(class_id) for class_id in truth.tolist()]
    return Prediction(field.name, document, remarks, np.where(wrong, -confidence, confidence), truth=truths)


def _mask_prediction(field: Field, ids: npt.NDArray[np.integer[Any]], fields: Sequence[Field]) -> Prediction:
    truth = flat_mask(field.array)
    weights = field.weights(fields, truth.shape)
    counted = np.ones(truth.shape, bool) if weights is None else weights.array > 0
    iou = [_mean_iou(*row) for row in zip(truth, ids, counted, strict=True)]
    document = {"kind": "segmentation", "iou": [round(each, 6) for each in iou]}
    remarks = [Remark(f"predicted: IoU {each:.2f}", each < 0.5) for each in iou]
    images = [each for each in fields if each.is_input and each.kind == "pixels"]
    drawn = [*images, dataclasses.replace(field, array=ids), *([] if weights is None else [weights])]
    return Prediction(field.name, document, remarks, np.array(iou), drawn)


def _mean_iou(truth: npt.NDArray[Any], predicted: npt.NDArray[Any], counted: npt.NDArray[np.bool_]) -> float:
    """The mean IoU of the classes that are in the mask or predicted; 1 if no pixel counts."""
    truth, predicted = truth[counted], predicted[counted]
    masks = [(truth == each, predicted == each) for each in np.union1d(truth, predicted).tolist()]
    shares = [(one & other).sum() / (one | other).sum() for one, other in masks]
    return float(np.mean(shares)) if shares else 1.0


def _image_or_series_prediction(field: Field, predicted: npt.NDArray[Any], fields: Sequence[Field]) -> Prediction:
    """A predicted image or series; its error is the mean absolute difference."""
    drawn = dataclasses.replace(field, array=predicted.reshape(field.array.shape))
    _, error = _errors(field, predicted)
    document = {"kind": "reconstruction" if field.kind == "pixels" else "series", "error": error.tolist()}
    beside, over = [drawn], None
    if field.kind == "series":
        if 2 * field.array.shape[-1] <= len(COLORS):  # enough colours for its lines and those of the target
            beside, over = [], drawn
        else:
            beside = [*(each for each in fields if each.is_input and each.kind == "series"), drawn]
    return Prediction(field.name, document, [Remark(f"off by {each:.3g}") for each in error], -error, beside, over)


def _errors(field: Field, predicted: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """The predicted values, one row for each sample, and the mean absolute error of each row."""
    rows = predicted.reshape(len(field.array), -1).astype(np.float64)
    return rows, np.abs(rows - field.array.reshape(rows.shape)).mean(axis=1)


def _value_prediction(field: Field, predicted: npt.NDArray[Any]) -> Prediction:
    rows, error = _errors(field, predicted)
    values = rows[:, 0] if rows.shape[1] == 1 else rows
    document = {"kind": "regression", "predicted": values.tolist(), "error": error.tolist()}
    remarks = [
        Remark(f"predicted {text} (off by {by:.3g})")
        for text, by in zip(_values_as_text(rows), error.tolist(), strict=True)
    ]
    truth = _values_as_text(field.array.reshape(rows.shape))
    return Prediction(field.name, document, remarks, -error, truth=truth)


def _values_as_text(rows: npt.NDArray[Any]) -> list[str]:
    return [", ".join(f"{each:.4g}" for each in row[:4]) + (", …" if len(row) > 4 else "") for row in rows.tolist()]
