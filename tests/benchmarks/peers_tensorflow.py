"""TensorFlow's loaders: `image_dataset_from_directory` as it comes, and tf.data tuned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.benchmarks.data import Images
from tests.benchmarks.loader_session import LoaderSession


def directory_session(images: Images) -> LoaderSession:
    """`image_dataset_from_directory`: what people begin with. Float32."""
    return LoaderSession(partial(_from_directory, images), images.seconds)


def tuned_session(images: Images, rough: bool = False) -> LoaderSession:
    """tf.data tuned by hand: scaled decoding, uint8, one call for all steps, as parallel as it likes.

    Args:
        images: Which.
        rough: Decode with less accuracy than everybody else does: a quick inverse DCT, chroma in blocks.
    """
    return LoaderSession(partial(_tuned, images, rough), images.seconds)


@contextmanager
def _from_directory(images: Images) -> Iterator[Iterator[Any]]:
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        images.folder, image_size=images.image_size, batch_size=images.batch_size, shuffle=False, verbose=False
    )
    yield _inputs(dataset.repeat())


@contextmanager
def _tuned(images: Images, rough: bool) -> Iterator[Iterator[Any]]:
    import tensorflow as tf

    paths = images.paths
    is_jpeg = paths[0].endswith(".jpg")
    how = {"fancy_upscaling": False, "dct_method": "INTEGER_FAST"} if rough else {"dct_method": "INTEGER_ACCURATE"}
    ratio = _ratio(paths[0], images.image_size)

    def read(path: Any, label: Any) -> tuple[Any, Any]:
        content = tf.io.read_file(path)
        picture = tf.io.decode_jpeg(content, 3, ratio, **how) if is_jpeg else tf.io.decode_png(content, 3)
        return tf.cast(tf.image.resize(picture, images.image_size), tf.uint8), label

    options = tf.data.Options()
    options.deterministic = True  # as everybody else
    dataset = tf.data.Dataset.from_tensor_slices((paths, images.labels)).repeat()
    dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(images.batch_size)
    yield _inputs(dataset.prefetch(tf.data.AUTOTUNE).with_options(options))


def _ratio(path: str, image_size: tuple[int, int]) -> int:
    """The factor by which the decoder may scale down."""
    from PIL import Image

    with Image.open(path) as image:
        return max(r for r in (1, 2, 4, 8) if image.height / r >= image_size[0] and image.width / r >= image_size[1])


def _inputs(dataset: Any) -> Iterator[Any]:
    for x, _ in dataset:
        yield x
