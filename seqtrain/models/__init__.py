"""The registered model builders, one architecture per file.

A builder imports Keras when it is called, not when its module is imported, so `seqtrain list` need not import Keras.
"""

from seqtrain.models import (
    autoencoder,
    backbone,
    cnn,
    cnn_3d,
    forecaster,
    mlp,
    recommender,
    siamese,
    tabular,
    unet,
    unet_3d,
    vae,
)

__all__ = [
    "autoencoder",
    "backbone",
    "cnn",
    "cnn_3d",
    "forecaster",
    "mlp",
    "recommender",
    "siamese",
    "tabular",
    "unet",
    "unet_3d",
    "vae",
]
