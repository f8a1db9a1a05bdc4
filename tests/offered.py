"""Imported by the process that is forked for commands: what Keras offers is parsed once, and not by each of them."""

from seqtrain import keras_api

for kind, name in (("optimizer", "adam"), ("loss", "mse"), ("metric", "mse"), ("callback", "early_stopping")):
    keras_api.find(kind, name)
