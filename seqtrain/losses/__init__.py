"""Registers losses that Keras does not have.

Each is built by a function that returns a `keras.losses.Loss` and imports Keras only when it is called.
"""

from seqtrain.losses import metric_learning as metric_learning
from seqtrain.losses import segmentation as segmentation
