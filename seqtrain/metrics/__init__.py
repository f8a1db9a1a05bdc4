"""Metrics that Keras does not have, by name, one idea a file.

A builder returns a metric of Keras, which may have a mapping of names to values as its result: each is logged. It
imports Keras when it is called.
"""

from seqtrain.metrics import metric_learning as metric_learning
from seqtrain.metrics import segmentation as segmentation
