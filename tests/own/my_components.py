"""Components as users write them, of Keras's classes: a sequence from a tutorial, a model and a callback."""

import math

import keras
import numpy as np

from seqtrain.registry import callbacks, models, sequences


@sequences.register("tutorial")
class TutorialSequence(keras.utils.Sequence):
    def __init__(self, x_set, y_set, batch_size):
        self.x, self.y = x_set, y_set
        self.batch_size = batch_size

    def __len__(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, idx):
        low = idx * self.batch_size
        high = min(low + self.batch_size, len(self.x))
        return [np.array(self.x[low:high]), np.array(self.y[low:high])]


@models.register("small")
def small(units=8, num_classes=2):
    """A perceptron with one hidden layer."""
    return keras.Sequential(
        [keras.layers.Dense(units, activation="relu"), keras.layers.Dense(num_classes, activation="softmax")]
    )


@models.register("compiled")
def compiled():
    model = small()
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return model


@callbacks.register("counts_epochs")
class CountsEpochs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch} seen by my own callback")


@keras.saving.register_keras_serializable("mine")
def twice_the_loss(y_true, y_pred):
    return 2 * keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


@keras.saving.register_keras_serializable("mine")
def loss_that_reads_values(y_true, y_pred):
    y_pred.numpy()  # which only an eager tensor has
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
