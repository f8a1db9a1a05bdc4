"""Components whose state a run that goes on must find again, and a callback that breaks a run off."""

import os

import keras
import numpy as np

from seqtrain.registry import callbacks, models, sequences, sources

MOMENTS = []  # (event, epoch, batch) at which a run breaks off, each once
BAD = []  # (epoch, batch) that cannot be read


class BrokenOffError(Exception):
    """Stands for a kill: nothing that comes after it is done."""


@sources.register("survivors_points")
class Points:
    """Points of the unit square, above or below its diagonal."""

    def __init__(self):
        self.x = np.random.default_rng(0).random((120, 2)).astype("float32")
        self.labels = (self.x.sum(axis=1) > 1).astype("int64")
        self.classes = ("below", "above")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index], "y": self.labels[index]}

    def as_columns(self, indices):
        return self.x[indices], self.labels[indices]


@models.register("survivors_noisy")
def noisy(num_classes=2):
    """A perceptron with seeds of its own, a seed that all layers share (JAX allows none), and moving statistics."""

    class SharedSeed(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed = keras.random.SeedGenerator(7) if keras.backend.backend() == "jax" else None

        def call(self, x, training=False):
            return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seed) if training else x

    return keras.Sequential(
        [
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            SharedSeed(),
            keras.layers.Dense(num_classes, activation="softmax"),
        ]
    )


@sequences.register("survivors_changing")
class Changing(keras.utils.Sequence):
    """Drops other samples in each epoch, with a generator of its own."""

    changes = True

    def __init__(self, x_set, y_set, batch_size):
        super().__init__()
        self.x, self.y, self.batch_size = np.asarray(x_set), np.asarray(y_set), batch_size
        self.generator = np.random.default_rng(3)
        self.rows = np.arange(len(self.x))
        self.epoch = 0

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        if (self.epoch, index) in BAD:
            raise OSError("this file is damaged")
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.epoch += 1
        if self.changes:
            self.rows = self.generator.permutation(len(self.x))


@sequences.register("survivors_plain")
class Plain(Changing):
    """The same samples in each epoch."""

    changes = False


@callbacks.register("survivors_decays")
class Decays(keras.callbacks.Callback):
    """Lowers the learning rate at each beginning of an epoch, and counts all that it is told of."""

    def __init__(self, factor: float = 0.9):
        super().__init__()
        self.factor = factor
        self.told = {}
        self.generator = np.random.default_rng(5)
        self.draws = []

    def count(self, event):
        self.told[event] = self.told.get(event, 0) + 1

    def on_epoch_begin(self, epoch, logs=None):
        self.count("epoch begin")
        rate = self.model.optimizer.learning_rate
        rate.assign(rate * self.factor)

    def on_train_batch_begin(self, batch, logs=None):
        self.count("batch begin")

    def on_train_batch_end(self, batch, logs=None):
        self.count("batch end")

    def on_test_begin(self, logs=None):
        self.count("test begin")

    def on_test_batch_end(self, batch, logs=None):
        self.count("test batch end")

    def on_epoch_end(self, epoch, logs=None):
        self.count("epoch end")
        self.draws.append(float(self.generator.random()))
        logs["told"] = sum(self.told.values())
        logs["drawn"] = self.draws[-1]


@callbacks.register("survivors_stops")
class StopSignal(keras.callbacks.Callback):
    """Stops training in the middle of an epoch."""

    def __init__(self, epoch: int = 2, batch: int = 4):
        super().__init__()
        self.last = epoch, batch
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.last:
            self.model.stop_training = True


@callbacks.register("survivors_breaks_off")
class BreaksOff(keras.callbacks.Callback):
    """Breaks a run off, or has a signal sent to it, at the moments that a test names."""

    def __init__(self):
        super().__init__()
        self.epoch = 0

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

    def at(self, event, batch=0):
        for moment in list(MOMENTS):
            if moment[:3] == (event, self.epoch, batch):
                MOMENTS.remove(moment)
                if len(moment) == 4:
                    os.kill(os.getpid(), moment[3])
                else:
                    raise BrokenOffError

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.at("epoch begin")

    def on_train_batch_begin(self, batch, logs=None):
        self.at("batch begin", batch)

    def on_train_batch_end(self, batch, logs=None):
        self.at("batch end", batch)

    def on_test_batch_end(self, batch, logs=None):
        self.at("test batch end", batch)

    def on_epoch_end(self, epoch, logs=None):
        self.at("epoch end")

    def on_train_end(self, logs=None):
        self.at("train end")
