"""Losses with a margin: what is unlike is pushed away only until it is far enough."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="seqtrain")
class ContrastiveLoss(keras.losses.Loss):
    """Half of the squared distance for pairs of one class; for others half of the squared shortfall of the margin.

    Args:
        margin: From which distance on pairs of two classes cost nothing.
        **options: Of `keras.losses.Loss`.
    """

    def __init__(self, margin: float, name: str = "contrastive", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss for each pair."""
        same, distance = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))
        shortfall = ops.maximum(self.margin - distance, 0)
        return (same * ops.square(distance) + (1 - same) * ops.square(shortfall)) / 2

    def get_config(self) -> dict[str, Any]:
        """What it was made with."""
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="seqtrain")
class TripletLoss(keras.losses.Loss):
    """How much less than the margin the negative is farther from the anchor than the positive, in squared distances.

    Args:
        margin: From which difference on a triplet costs nothing.
        **options: Of `keras.losses.Loss`.
    """

    def __init__(self, margin: float, name: str = "triplet", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss for each triplet."""
        positive, negative = squared_distances(y_pred)
        return ops.maximum(positive - negative + self.margin, 0)

    def get_config(self) -> dict[str, Any]:
        """What it was made with."""
        return {**super().get_config(), "margin": self.margin}


def squared_distances(embeddings: Any) -> tuple[Any, Any]:
    """From the anchors to the positives and to the negatives.

    Shapes:
        embeddings: (batch, 3, size): anchor, positive, negative
    """
    anchor, positive, negative = (embeddings[:, place] for place in range(3))
    return ops.sum(ops.square(anchor - positive), axis=-1), ops.sum(ops.square(anchor - negative), axis=-1)
