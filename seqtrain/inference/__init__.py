"""Evaluates and predicts with a trained run, and inspects its batches. Keras is imported only when needed."""

from seqtrain.inference.trained_run import TrainedRun

__all__ = ["TrainedRun"]
