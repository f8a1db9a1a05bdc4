"""Classes as people write them for `keras.utils.Sequence`, with nothing changed but the decorator line."""

# ruff: noqa: N803, N806 - names as tutorials have them

import math
import random

import numpy as np
from PIL import Image

from seqtrain.registry import models, sequences

SIZE = 16


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((SIZE, SIZE)), dtype="float32")[..., None] / 255


@sequences.register("by_id")
class DataGenerator:
    """Ids and a dict of labels; shuffled by the global generator after each epoch."""

    def __init__(self, list_IDs, labels, batch_size=32, dim=(SIZE, SIZE), n_channels=1, n_classes=10, shuffle=True):
        self.dim = dim
        self.batch_size = batch_size
        self.labels = labels
        self.list_IDs = list_IDs
        self.n_channels = n_channels
        self.n_classes = n_classes
        self.shuffle = shuffle
        self.on_epoch_end()

    def __len__(self):
        return int(np.floor(len(self.list_IDs) / self.batch_size))

    def __getitem__(self, index):
        indexes = self.indexes[index * self.batch_size : (index + 1) * self.batch_size]
        ids = [self.list_IDs[k] for k in indexes]
        X = np.empty((self.batch_size, *self.dim, self.n_channels), "float32")
        y = np.empty((self.batch_size), dtype=int)
        for i, ID in enumerate(ids):
            X[i,] = read(ID)
            y[i] = self.labels[ID]
        return X, np.eye(self.n_classes)[y]

    def on_epoch_end(self):
        self.indexes = np.arange(len(self.list_IDs))
        if self.shuffle:
            np.random.shuffle(self.indexes)


class Augmenting:
    """A base class whose helper draws from both global generators."""

    def flip(self, image):
        image = image[:, ::-1] if random.random() < 0.5 else image
        return image + np.random.normal(0, 0.05, image.shape).astype("float32")


@sequences.register("file_paths")
class FromPaths(Augmenting):
    """Paths and labels by their usual names; augmented in a method of the base class."""

    def __init__(self, file_paths, labels, batch_size, augment=True):
        self.file_paths, self.labels, self.batch_size, self.augment = file_paths, labels, batch_size, augment

    def __len__(self):
        return math.ceil(len(self.file_paths) / self.batch_size)

    def __getitem__(self, i):
        part = slice(i * self.batch_size, (i + 1) * self.batch_size)
        images = [read(path) for path in self.file_paths[part]]
        return np.stack([self.flip(image) if self.augment else image for image in images]), self.labels[part]


@sequences.register("named", x_set="files_to_read", y_set="digit_of_each")
class Named(FromPaths):
    """Names that only the decorator can tell."""

    def __init__(self, files_to_read, digit_of_each, batch_size):
        super().__init__(files_to_read, digit_of_each, batch_size, augment=False)


@sequences.register("pairs_of_dataset")
class FromDataset:
    """A data set of pairs, as classes around another data set take it; lists of samples, which are stacked."""

    def __init__(self, dataset, batch_size):
        self.dataset, self.batch_size = dataset, batch_size

    def __len__(self):
        return math.ceil(len(self.dataset) / self.batch_size)

    def __getitem__(self, i):
        end = min(len(self.dataset), (i + 1) * self.batch_size)
        pairs = [self.dataset[n] for n in range(i * self.batch_size, end)]
        return [read(path) for path, _ in pairs], [label for _, label in pairs]


@sequences.register("images_masks")
class ImagesMasks:
    """Images and masks by their paths."""

    def __init__(self, images, masks, batch_size):
        self.images, self.masks, self.batch_size = images, masks, batch_size

    def __len__(self):
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, i):
        part = slice(i * self.batch_size, (i + 1) * self.batch_size)
        x = np.array([read(path) for path in self.images[part]])
        y = np.array(
            [np.asarray(Image.open(path).resize((SIZE, SIZE), Image.NEAREST)) > 0 for path in self.masks[part]]
        )
        return x, y[..., None].astype("float32")


@sequences.register("rows_of_frame")
class FrameGenerator:
    """A DataFrame, shuffled by pandas; `loc` finds its rows by the numbers of the file."""

    def __init__(self, df, batch_size, columns: list[str], target: str):
        self.df, self.batch_size, self.columns, self.target = df, batch_size, columns, target
        self.rows = df.index.to_numpy().copy()

    def __len__(self):
        return math.ceil(len(self.df) / self.batch_size)

    def __getitem__(self, i):
        batch = self.df.loc[self.rows[i * self.batch_size : (i + 1) * self.batch_size]]
        return batch[self.columns].to_numpy("float32"), batch[self.target].to_numpy("float32")

    def on_epoch_end(self):
        np.random.shuffle(self.rows)


@sequences.register("user_item")
class UserItem:
    """Two inputs as a list, and the target in one, as in code for Keras 2."""

    def __init__(self, x, y, batch_size):
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return math.ceil(len(self.y) / self.batch_size)

    def __getitem__(self, idx):
        part = slice(idx * self.batch_size, (idx + 1) * self.batch_size)
        User, Item = self.x[part, 0], self.x[part, 1]
        return [User, Item], [self.y[part]]


@sequences.register("random_data")
class RandomData:
    """Draws its data in the constructor, and noise for each batch."""

    def __init__(self, indices, batch_size):
        self.x = np.random.rand(len(indices), 4).astype("float32")
        self.y = np.random.randint(0, 2, len(indices))
        self.batch_size = batch_size

    def __len__(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, i):
        part = slice(i * self.batch_size, (i + 1) * self.batch_size)
        return self.x[part] + np.random.rand(*self.x[part].shape).astype("float32"), self.y[part]


@sequences.register("curriculum")
class Curriculum:
    """Sets the difficulty when an epoch begins, and counts when it ends."""

    def __init__(self, x, y, batch_size):
        self.x, self.y, self.batch_size = x, y, batch_size
        self.calls = []
        self.noise = None

    @property
    def num_batches(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, i):
        part = slice(i * self.batch_size, (i + 1) * self.batch_size)
        return np.array([read(path) for path in self.x[part]]) + self.noise, self.y[part]

    def on_epoch_begin(self):
        self.calls.append("begin")
        self.noise = np.float32(np.random.rand()) / (1 + self.calls.count("end"))

    def on_epoch_end(self):
        self.calls.append("end")


@sequences.register("endless")
class Endless:
    """Makes batches for any index, without an end."""

    num_batches = None

    def __init__(self, indices, batch_size):
        self.batch_size = batch_size

    def __getitem__(self, i):
        generator = np.random.default_rng(i)
        x = generator.random((self.batch_size, 4), dtype="float32")
        return x, (x.sum(axis=1) > 2).astype("int32")


@models.register("small")
def small(input_shape, units: int = 1, activation: str = "linear"):
    import keras

    layers = [keras.layers.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(units, activation)]
    return keras.Sequential(layers)


@models.register("two_inputs")
def two_inputs():
    import keras

    user, item = keras.layers.Input((), dtype="int32"), keras.layers.Input((), dtype="int32")
    embedded = [keras.layers.Embedding(2000, 4)(each) for each in (user, item)]
    return keras.Model([user, item], keras.layers.Dense(1)(keras.layers.Concatenate()(embedded)))


@models.register("mask_of_each_pixel")
def mask_of_each_pixel(input_shape):
    import keras

    return keras.Sequential([keras.layers.Input(input_shape), keras.layers.Conv2D(1, 3, padding="same")])


@sequences.register("generator")
def batches(x_set, y_set, batch_size):
    """A generator without an end, as for `fit_generator`; shuffled anew each time around."""
    order = np.arange(len(x_set))
    while True:
        np.random.shuffle(order)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield np.array([read(x_set[row]) for row in rows]), y_set[rows]


@sequences.register("tf_dataset")
def tf_dataset(x_set, y_set, batch_size):
    """A `tf.data.Dataset` of batches."""
    import tensorflow as tf

    images = np.array([read(path) for path in x_set])
    return tf.data.Dataset.from_tensor_slices((images, y_set)).batch(batch_size)
