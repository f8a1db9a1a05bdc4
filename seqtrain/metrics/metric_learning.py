"""The metrics `pair_accuracy` and `triplet_accuracy`, for the model `siamese`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seqtrain.registry import metrics


@metrics.register("pair_accuracy")
def pair_accuracy(threshold: Annotated[float, Field(gt=0)] = 0.5) -> Any:
    """The share of pairs whose distance is on the right side of the threshold; chance is 0.5 for balanced pairs.

    Args:
        threshold: Pairs with a smaller distance count as of the same class. The default is half the default margin.

    Shapes:
        y_true: (batch,), 1 for pairs of the same class, 0 for others
        y_pred: (batch,) or (batch, 1), the distance
    """
    import keras
    from keras import ops

    def is_right(y_true: Any, y_pred: Any) -> Any:
        taken_as_same = ops.cast(ops.reshape(y_pred, (-1,)) < threshold, "int32")
        return ops.equal(taken_as_same, ops.cast(ops.reshape(y_true, (-1,)), "int32"))

    return keras.metrics.MeanMetricWrapper(is_right, name="pair_accuracy")


@metrics.register("triplet_accuracy")
def triplet_accuracy() -> Any:
    """The share of triplets whose positive is nearer to the anchor than the negative is; chance is 0.5.

    Shapes:
        y_true: (batch,), not used
        y_pred: (batch, 3, embedding_size): anchor, positive, negative
    """
    import keras
    from keras import ops

    from seqtrain.losses.margins import squared_distances

    def is_right(y_true: Any, y_pred: Any) -> Any:
        return ops.less(*squared_distances(y_pred))

    return keras.metrics.MeanMetricWrapper(is_right, name="triplet_accuracy")
