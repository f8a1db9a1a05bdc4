"""Measures the overlap of the predicted and the true pixels of each class over a whole epoch, as IoU or Dice.

Three counts per class are kept: true positives, true pixels and predicted pixels. Intersection over union and Dice are
computed from them. The mean over batches would be a different number, which depends on the batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

Measure = Literal["iou", "dice"]


@keras.saving.register_keras_serializable(package="seqtrain")
class ClassOverlap(keras.metrics.Metric):
    """The mean over classes of a measure of overlap, and the measure of each class.

    A class that is neither present nor predicted in the whole epoch is left out of the mean; its own value is NaN.

    Args:
        measure: "iou" (intersection over union) or "dice" (twice the intersection over the sum of both).
        class_names: The names of the ids 0, 1 and so on.
        include_background: Whether id 0 counts in the mean.
        per_class: Whether the result has the value of each class, `<measure>_<class>`, besides the mean.
        name: The name of the mean.

    Shapes:
        y_true: (batch, ...), with or without a last axis of 1; class ids
        y_pred: the shape of y_true with a last axis for the probabilities of the classes
        sample_weight: (batch,) or the shape of y_true; weights multiply the pixels
    """

    def __init__(
        self,
        measure: Measure,
        class_names: Sequence[str],
        include_background: bool = True,
        per_class: bool = True,
        name: str = "overlap",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.measure = measure
        self.class_names = tuple(class_names)
        self.include_background = include_background
        self.per_class = per_class
        shape = (len(self.class_names),)
        self.intersection = self.add_weight(shape=shape, initializer="zeros", name="both")
        self.true_pixels = self.add_weight(shape=shape, initializer="zeros", name="there")
        self.predicted_pixels = self.add_weight(shape=shape, initializer="zeros", name="found")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts the pixels of a batch."""
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        true = ops.reshape(ops.cast(y_true, "int32"), ops.shape(predicted))
        if sample_weight is None:
            weights = ops.ones_like(true, dtype=self.dtype)
        else:
            weights = ops.cast(sample_weight, self.dtype)
            weights = ops.reshape(weights, (*ops.shape(weights)[:1], -1))
            weights = weights * ops.ones_like(ops.reshape(true, (ops.shape(true)[0], -1)), dtype=self.dtype)
        lines = (-1, ops.shape(predicted)[-1])
        predicted, true, weights = (ops.reshape(values, lines) for values in (predicted, true, weights))
        hits = weights * ops.cast(predicted == true, self.dtype)
        self.intersection.assign_add(self._sum_by_class(hits, true))
        self.true_pixels.assign_add(self._sum_by_class(weights, true))
        self.predicted_pixels.assign_add(self._sum_by_class(weights, predicted))

    def result(self) -> dict[str, Any]:
        """The mean, and with `per_class` the value of each class."""
        overlap, sizes = self.intersection, self.true_pixels + self.predicted_pixels
        above, below = (overlap, sizes - overlap) if self.measure == "iou" else (2 * overlap, sizes)
        seen = below > 0
        values = ops.where(seen, above / ops.where(seen, below, 1), 0)
        counted = ops.cast(seen, self.dtype) * self._in_mean()
        mean = ops.sum(values * counted) / ops.maximum(ops.sum(counted), 1)
        if not self.per_class:
            return {self.name: mean}
        values = ops.where(seen, values, float("nan"))
        names = (f"{self._prefix()}_{'_'.join(name.split())}" for name in self.class_names)
        return {self.name: mean} | {name: values[number] for number, name in enumerate(names)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "measure": self.measure,
            "class_names": list(self.class_names),
            "include_background": self.include_background,
            "per_class": self.per_class,
            "name": self.name,
        }

    def _sum_by_class(self, values: Any, ids: Any) -> Any:
        """Sums values by class, row by row and then over the rows: a float32 sum of ones would stop at 2**24."""
        num_classes, num_lines = len(self.class_names), ops.shape(ids)[0]
        is_class = ops.logical_and(ids >= 0, ids < num_classes)
        segments = ops.where(is_class, ids, 0) + num_classes * ops.arange(num_lines, dtype="int32")[:, None]
        values = ops.where(is_class, values, 0)
        sums = ops.segment_sum(ops.reshape(values, (-1,)), ops.reshape(segments, (-1,)), num_lines * num_classes)
        return ops.sum(ops.reshape(sums, (-1, num_classes)), axis=0)

    def _in_mean(self) -> Any:
        background = [1.0 if self.include_background else 0.0]
        return ops.convert_to_tensor(background + [1.0] * (len(self.class_names) - 1), dtype=self.dtype)

    def _prefix(self) -> str:
        """The prefix of the class values: the measure, or the metric's name if the user set one."""
        usual = {"iou": "mean_iou", "dice": "dice_coefficient"}[self.measure]
        return self.measure if self.name == usual else self.name
