"""Losses that Keras does not have, by name, one idea a file.

A builder returns a loss of Keras, or a function of targets and predictions; it imports Keras when it is called.
"""

from seqtrain.losses import metric_learning as metric_learning
from seqtrain.losses import segmentation as segmentation
