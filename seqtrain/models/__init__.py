"""Model builders by name, one architecture a file.

A builder imports Keras when it is called, not when its module is imported: `seqtrain list` names it without.
"""

from seqtrain.models import autoencoder, cnn, mlp, recommender, siamese, tabular, unet, vae

__all__ = ["autoencoder", "cnn", "mlp", "recommender", "siamese", "tabular", "unet", "vae"]
