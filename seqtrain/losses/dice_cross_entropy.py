"""Soft Dice and cross-entropy over the pixels of a batch, both weighted by pixel.

Cross-entropy rates each pixel alone, and stays low if a rare class is never predicted. Dice rates the overlap of the
predicted and the true region of a class, whatever its size, but not the confidence of single pixels. The sum of both
trains steadily and finds small objects.

Dice is computed over all pixels of the batch, since a class may have no pixel in a single image. Weights multiply the
pixels in numerator and denominator, so pixels with weight 0 have no effect.

Source:
    Milletari, Navab and Ahmadi, 2016, "V-Net", for Dice as a loss; Isensee et al., 2021, "nnU-Net", Nature Methods 18,
    for the sum of both, over the batch and without the background.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_SMOOTH = 1.0  # in pixels: a class that is neither present nor predicted has Dice 1, and no gradient is infinite


@keras.saving.register_keras_serializable(package="seqtrain")
class DiceCrossEntropy(keras.losses.Loss):
    """A weighted sum of 1 - Dice and cross-entropy, over all pixels of the batch.

    Args:
        cross_entropy_weight: The weight of the cross-entropy in the sum.
        dice_weight: The weight of 1 - Dice in the sum.
        include_background: Whether id 0 counts in Dice; its many pixels may hide how the other classes do.
        name: The name that Keras shows.

    Shapes:
        y_true: (batch, height, width) or (batch, depth, height, width), with or without a last axis of 1; class ids
        y_pred: the shape of y_true with a last axis for the probabilities of the classes
        sample_weight: (batch,) or the shape of y_true
    """

    def __init__(
        self,
        cross_entropy_weight: float = 1.0,
        dice_weight: float = 1.0,
        include_background: bool = False,
        name: str = "dice_cross_entropy",
    ) -> None:
        super().__init__(name=name, reduction="mean_with_sample_weight")
        self.cross_entropy_weight = cross_entropy_weight
        self.dice_weight = dice_weight
        self.include_background = include_background

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch, a scalar.

        It overrides `__call__`, because Keras applies sample weights to the result of `call`, one number per pixel, and
        Dice is not a sum over pixels.
        """
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        ids = ops.cast(y_true, "int32")
        if len(ids.shape) == len(y_pred.shape):
            ids = ops.squeeze(ids, axis=-1)
        weights = _per_pixel(sample_weight, ids, self.dtype)
        loss = ops.zeros((), dtype=self.dtype)
        if self.cross_entropy_weight:
            loss += self.cross_entropy_weight * _weighted_mean(
                ops.sparse_categorical_crossentropy(ids, y_pred), weights
            )
        if self.dice_weight:
            loss += self.dice_weight * (1 - ops.mean(self._dice(ids, y_pred, weights)))
        return loss

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "cross_entropy_weight": self.cross_entropy_weight,
            "dice_weight": self.dice_weight,
            "include_background": self.include_background,
            "name": self.name,
        }

    def _dice(self, ids: Any, y_pred: Any, weights: Any) -> Any:
        """The Dice coefficient of each class."""
        one_hot = ops.one_hot(ids, y_pred.shape[-1], dtype=self.dtype)
        if not self.include_background:
            one_hot, y_pred = one_hot[..., 1:], y_pred[..., 1:]
        weights = ops.expand_dims(weights, axis=-1)
        pixels = tuple(range(len(ids.shape)))
        overlap = ops.sum(weights * one_hot * y_pred, axis=pixels)
        sizes = ops.sum(weights * (one_hot + y_pred), axis=pixels)
        return (2 * overlap + _SMOOTH) / (sizes + _SMOOTH)


def _per_pixel(sample_weight: Any, ids: Any, dtype: str) -> Any:
    """The weight of each pixel, from weights per sample or per pixel; 1 without weights."""
    if sample_weight is None:
        return ops.ones_like(ids, dtype=dtype)
    weights = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if len(weights.shape) > len(ids.shape):
        weights = ops.squeeze(weights, axis=-1)
    for _ in range(len(ids.shape) - len(weights.shape)):
        weights = ops.expand_dims(weights, axis=-1)
    return weights * ops.ones_like(ids, dtype=dtype)


def _weighted_mean(values: Any, weights: Any) -> Any:
    """The weighted mean; 0 if all weights are 0."""
    total = ops.sum(weights)
    return ops.sum(values * weights) / ops.where(total > 0, total, 1)
