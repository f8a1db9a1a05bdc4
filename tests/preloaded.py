"""What the process that is forked for commands imports, and parses of what Keras offers: once, not by each command.

Without the garbage collector, which would look through all of it again and again, here and in every command.
"""
# ruff: noqa: E402, F401

import gc

gc.disable()

import keras
import matplotlib.pyplot
import tensorflow

import seqtrain.cli
import seqtrain.training.run
from seqtrain import callbacks, keras_api, losses, metrics, models, sequences, sources
from tests import command

for kind, name in (("optimizer", "adam"), ("loss", "mse"), ("metric", "mse"), ("callback", "early_stopping")):
    keras_api.find(kind, name)
gc.enable()
gc.freeze()
