"""seqtrain: train Keras models from the command line on data that does not fit in memory."""

__version__ = "0.1.0"
