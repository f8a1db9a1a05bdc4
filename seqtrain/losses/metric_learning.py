"""The losses `contrastive` and `triplet`, which learn distances from pairs or triplets, for the model `siamese`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seqtrain.registry import losses

Margin = Annotated[float, Field(gt=0)]


@losses.register("contrastive")
def contrastive(margin: Margin = 1.0) -> Any:
    """Contrastive loss: moves pairs of the same class together, and pairs of different classes apart up to the margin.

    Args:
        margin: The distance at which pairs of different classes have zero loss. Embeddings of unit length are at most 2
            apart.

    Shapes:
        y_true: (batch,), 1 for pairs of the same class, 0 for others
        y_pred: (batch,) or (batch, 1), the distance

    Source:
        Hadsell, Chopra and LeCun, 2006, "Dimensionality Reduction by Learning an Invariant Mapping", equation 4, where
        Y is 0 for similar pairs.
    """
    from seqtrain.losses.margins import ContrastiveLoss

    return ContrastiveLoss(margin)


@losses.register("triplet")
def triplet(margin: Margin = 0.2) -> Any:
    """Triplet loss: moves the negative farther from the anchor than the positive, by the margin.

    Args:
        margin: The difference of the squared distances, which are at most 4 for embeddings of unit length.

    Shapes:
        y_true: (batch,), not used
        y_pred: (batch, 3, embedding_size): anchor, positive, negative

    Source:
        Schroff, Kalenichenko and Philbin, 2015, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
        equation 3.
    """
    from seqtrain.losses.margins import TripletLoss

    return TripletLoss(margin)
