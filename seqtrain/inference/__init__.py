"""A trained run as something to call: to evaluate, to predict, to look at its batches. Keras is imported late."""

from seqtrain.inference.trained_run import TrainedRun

__all__ = ["TrainedRun"]
