"""Components of one's own, as `configs/my_sequences.yaml` imports them: written as in any Keras tutorial.

Each is registered with one decorator line; nothing else in it knows of seqtrain.
"""

import math

import keras
import numpy as np
from PIL import Image

from seqtrain.registry import callbacks, models, sequences


@sequences.register("my_digits")
class MyDigits(keras.utils.Sequence):
    """`x_set` is a list of paths and `y_set` the labels; both hold the samples of the split."""

    def __init__(self, x_set, y_set, batch_size):
        self.x, self.y = x_set, y_set
        self.batch_size = batch_size

    def __len__(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, idx):
        low = idx * self.batch_size
        high = min(low + self.batch_size, len(self.x))
        batch_x = self.x[low:high]
        batch_y = self.y[low:high]
        return np.array([read(path) for path in batch_x]), np.array(batch_y)


@sequences.register("my_shuffled_digits")
class MyShuffledDigits:
    """The same without a base class; shuffles its samples after each epoch."""

    def __init__(self, x_set, y_set, batch_size):
        self.x, self.y = x_set, y_set
        self.batch_size = batch_size
        self.rows = np.arange(len(x_set))
        self.generator = np.random.default_rng(0)

    def __len__(self):
        return len(self.rows) // self.batch_size

    def __getitem__(self, idx):
        rows = self.rows[idx * self.batch_size : (idx + 1) * self.batch_size]
        return [np.array([read(self.x[row]) for row in rows]), np.array(self.y[rows])]

    def on_epoch_end(self):
        self.generator.shuffle(self.rows)


@sequences.register("my_flats")
class MyFlats(keras.utils.PyDataset):
    """`df` has the rows of the split, with the columns and the index that pandas reads from the whole file."""

    def __init__(self, df, batch_size, columns: list[str], target: str):
        super().__init__()
        self.df, self.batch_size = df, batch_size
        self.columns, self.target = columns, target

    @property
    def num_batches(self):
        """Batches in an epoch."""
        return math.ceil(len(self.df) / self.batch_size)

    def __getitem__(self, idx):
        batch = self.df.iloc[idx * self.batch_size : (idx + 1) * self.batch_size]
        return batch[self.columns].fillna(0).to_numpy("float32"), batch[self.target].to_numpy("float32")

    def on_epoch_end(self):
        """Shuffles the rows."""
        self.df = self.df.sample(frac=1)


def read(path):
    """A digit of 32x32 pixels in [0, 1]."""
    with Image.open(path) as image:
        return np.asarray(image.resize((32, 32)), dtype="float32")[..., np.newaxis] / 255


@models.register("my_cnn")
def my_cnn(input_shape, num_classes, filters: tuple[int, ...] = (16, 32)):
    """A few convolutions; `input_shape` and `num_classes` come from the first batch."""
    model = keras.Sequential([keras.layers.Input(input_shape)])
    for count in filters:
        model.add(keras.layers.Conv2D(count, 3, activation="relu"))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(num_classes, activation="softmax"))
    return model


@models.register("my_prices")
def my_prices(input_shape, units: int = 32):
    """A perceptron over columns of different ranges."""
    layers = [keras.layers.Input(input_shape), keras.layers.BatchNormalization()]
    layers += [keras.layers.Dense(units, activation="relu") for _ in range(2)]
    return keras.Sequential([*layers, keras.layers.Dense(1), keras.layers.Rescaling(1e5)])


@callbacks.register("my_announcer")
class MyAnnouncer(keras.callbacks.Callback):
    """Says when an accuracy is reached."""

    def __init__(self, accuracy: float = 0.9):
        super().__init__()
        self.accuracy = accuracy

    def on_epoch_end(self, epoch, logs=None):
        """Compares the epoch's validation accuracy."""
        if logs and logs.get("val_accuracy", 0) >= self.accuracy:
            print(f"epoch {epoch + 1}: validation accuracy {logs['val_accuracy']:.3f}")
