"""Model builders by name, one architecture a file.

A builder imports Keras when it is called, not when its module is imported: `seqtrain list` names it without.
"""

from seqtrain.models import cnn, mlp, recommender, unet

__all__ = ["cnn", "mlp", "recommender", "unet"]
