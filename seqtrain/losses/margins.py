"""Losses with a margin: different samples are pushed apart only up to a distance."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="seqtrain")
class ContrastiveLoss(keras.losses.Loss):
    """Contrastive loss: d^2 / 2 for a pair of the same class at distance d, else max(margin - d, 0)^2 / 2.

    Args:
        margin: The distance at and above which a pair of different classes has zero loss.
        name: The name that Keras shows.
        **options: Arguments of `keras.losses.Loss`.
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
        """The constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="seqtrain")
class TripletLoss(keras.losses.Loss):
    """Triplet loss: max(d(anchor, positive)^2 - d(anchor, negative)^2 + margin, 0).

    Args:
        margin: The difference of squared distances at and above which a triplet has zero loss.
        name: The name that Keras shows.
        **options: Arguments of `keras.losses.Loss`.
    """

    def __init__(self, margin: float, name: str = "triplet", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss for each triplet."""
        positive, negative = squared_distances(y_pred)
        return ops.maximum(positive - negative + self.margin, 0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}


def squared_distances(embeddings: Any) -> tuple[Any, Any]:
    """The squared distances from the anchors to the positives, and to the negatives.

    Shapes:
        embeddings: (batch, 3, size): anchor, positive, negative
    """
    anchor, positive, negative = (embeddings[:, place] for place in range(3))
    return ops.sum(ops.square(anchor - positive), axis=-1), ops.sum(ops.square(anchor - negative), axis=-1)
