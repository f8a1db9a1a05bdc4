"""Registers metrics that Keras does not have.

Each is built by a function that returns a `keras.metrics.Metric` and imports Keras only when it is called. The result
of a metric may be a dict of values by name, each of which is logged.
"""

from seqtrain.metrics import metric_learning as metric_learning
from seqtrain.metrics import segmentation as segmentation
