"""The losses `contrastive` and `triplet`: distances learnt from pairs and from triplets, for the model `siamese`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seqtrain.registry import losses

Margin = Annotated[float, Field(gt=0)]


@losses.register("contrastive")
def contrastive(margin: Margin = 1.0) -> Any:
    """Draws pairs of one class together, and pairs of two classes apart until the margin.

    Args:
        margin: From which distance on pairs of two classes cost nothing. Embeddings of unit length are at most 2 apart.

    Shapes:
        y_true: (batch,), 1 where both are of one class, 0 where not
        y_pred: (batch,) or (batch, 1), the distance

    Source:
        Hadsell, Chopra and LeCun, 2006, "Dimensionality Reduction by Learning an Invariant Mapping", equation 4, where
        Y is 0 for what is alike.
    """
    from seqtrain.losses.margins import ContrastiveLoss

    return ContrastiveLoss(margin)


@losses.register("triplet")
def triplet(margin: Margin = 0.2) -> Any:
    """Wants the negative farther from the anchor than the positive, by the margin.

    Args:
        margin: Of squared distances. Between embeddings of unit length they are at most 4.

    Shapes:
        y_true: (batch,), not used
        y_pred: (batch, 3, embedding_size): anchor, positive, negative

    Source:
        Schroff, Kalenichenko and Philbin, 2015, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
        equation 3.
    """
    from seqtrain.losses.margins import TripletLoss

    return TripletLoss(margin)
