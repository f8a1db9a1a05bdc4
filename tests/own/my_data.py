"""Data as users write it, in classes like those for Keras but without a base: worker processes need no Keras for it."""

import random

import numpy as np

from seqtrain.registry import models, sequences, sources


@sources.register("points")
class Points:
    """Points of the unit square, above or below its diagonal."""

    def __init__(self, num_samples: int = 200):
        self.x = np.random.default_rng(0).random((num_samples, 2)).astype("float32")
        self.labels = (self.x.sum(axis=1) > 1).astype("int64")
        self.classes = ("below", "above")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index], "y": self.labels[index]}

    def as_columns(self, indices):
        return self.x[indices], self.labels[indices]


@sequences.register("generator_class")
class Generator:
    """Shuffles its samples at the end of an epoch, as such classes do."""

    def __init__(self, x_set, y_set, batch_size):
        self.x, self.y = np.asarray(x_set), np.asarray(y_set)
        self.batch_size = batch_size
        self.random = random.Random(1)
        self.rows = list(range(len(self.x)))

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.random.shuffle(self.rows)


@sequences.register("none_at_two")
class NoneAtTwo(Generator):
    def __getitem__(self, index):
        return None if index == 2 else super().__getitem__(index)


@sequences.register("raises_at_two")
class RaisesAtTwo(Generator):
    def __getitem__(self, index):
        if index == 2:
            raise KeyError("no such patient")
        return super().__getitem__(index)


@sequences.register("end_raises")
class EndRaises(Generator):
    def on_epoch_end(self):
        raise RuntimeError("no disk")


@sequences.register("shuffled_at_start")
class ShuffledAtStart(Generator):
    """As in many tutorials: the constructor shuffles with the global generator, and so does the end of an epoch."""

    def __init__(self, x_set, y_set, batch_size):
        super().__init__(x_set, y_set, batch_size)
        np.random.shuffle(self.rows)

    def on_epoch_end(self):
        np.random.shuffle(self.rows)


@sequences.register("texts")
class Texts:
    """Texts whose length varies from batch to batch, but not between the first two."""

    def __init__(self, x_set, y_set, batch_size):
        self.y, self.batch_size = np.asarray(y_set), batch_size

    def __len__(self):
        return len(self.y) // self.batch_size

    def __getitem__(self, index):
        y = self.y[index * self.batch_size : (index + 1) * self.batch_size]
        length = 5 + 3 * (index % 4)
        return np.repeat(y[:, None], length, axis=1).astype("int32"), y


@models.register("reads_texts")
def reads_texts():
    """An average of embeddings."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((None,), dtype="int32"),
            keras.layers.Embedding(3, 4),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
