"""Backbones under a head: the right preprocessing, what is frozen, weights from a file."""

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.registry import models

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept a copy keyword"),  # Keras's own
    pytest.mark.filterwarnings("ignore:Skipping nested container"),
]

SHAPE = (32, 32, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), dtype=np.uint8)


def built(name, shape=SHAPE, **arguments):
    return models.get("backbone").load()(
        input_shape=shape, input_dtype="uint8", num_classes=3, backbone=name, **arguments
    )


def network_of(model):
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


@pytest.mark.parametrize("name", ["MobileNet", "ResNet50"])  # -1 to 1; BGR about ImageNet's means
def test_pixels_are_preprocessed_as_the_network_was_made_for(name):
    import importlib

    import keras

    model = built(name)
    network = network_of(model)
    module = importlib.import_module(
        {"MobileNet": "keras.applications.mobilenet", "ResNet50": "keras.applications.resnet"}[name]
    )
    by_hand = network(module.preprocess_input(IMAGES.astype(np.float32)), training=False)
    expected = model.get_layer("output")(by_hand)
    assert np.allclose(model(IMAGES, training=False), expected, atol=1e-6)
    assert keras.ops.shape(expected) == (2, 3)


def test_gray_and_channels_first_images_are_the_same_pictures():
    gray = np.repeat(IMAGES[..., :1], 3, axis=-1)
    color = built("MobileNet", options={"alpha": 0.25})
    weights = color.get_weights()
    for shape, images, extra in (
        ((32, 32, 1), gray[..., :1], {}),
        ((3, 32, 32), np.moveaxis(gray, -1, 1), {"data_format": "channels_first"}),
    ):
        model = built("MobileNet", shape, options={"alpha": 0.25}, **extra)
        model.set_weights(weights)
        assert np.allclose(model(images, training=False), color(gray, training=False), atol=1e-6)


# MobileNet has 27 convolutions without bias and 27 normalisations of two weights each; its last four layers are a
# convolution, a normalisation, an activation and the pooling.
@pytest.mark.parametrize(("trainable", "num_trained"), [(False, 0), (True, 27 + 2 * 27), (4, 1 + 2)])
def test_as_much_is_trained_as_was_asked_for(trainable, num_trained, caplog):
    network = network_of(built("MobileNet", trainable=trainable, options={"alpha": 0.25}))
    assert len(network.trainable_weights) == num_trained
    assert ("it begins with random weights that are not all trained" in caplog.text) == (trainable is not True)


def test_given_weights_are_loaded_and_keep_their_statistics_in_training(tmp_path):
    first = network_of(built("MobileNet", options={"alpha": 0.25}))
    first.save_weights(tmp_path / "mobilenet.weights.h5")
    model = built("MobileNet", weights=tmp_path / "mobilenet.weights.h5", dropout=0.0, options={"alpha": 0.25})
    assert all(np.array_equal(a, b) for a, b in zip(network_of(model).get_weights(), first.get_weights(), strict=True))
    assert np.allclose(model(IMAGES, training=True), model(IMAGES, training=False))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "MobilNet"}, r"keras.applications has no 'MobilNet'(?s:.*)did you mean 'MobileNet'"),
        ({"name": "MobileNet", "shape": (8, 8, 3)}, r"cannot build MobileNet on images of \(8, 8, 3\)"),
        ({"name": "MobileNet", "options": {"alpa": 1}}, "alpa"),
        ({"name": "MobileNet", "shape": (32, 32, 2)}, "one channel or three"),
        ({"name": "MobileNet", "shape": (32,)}, "one channel or three"),
    ],
)
def test_what_keras_cannot_build_is_refused(arguments, told):
    with pytest.raises(ConfigError, match=told):
        built(**arguments)


def test_weights_of_another_network_are_refused(tmp_path):
    other = network_of(built("MobileNet", options={"alpha": 0.5}))
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ConfigError, match="cannot build MobileNet"):
        built("MobileNet", weights=tmp_path / "other.weights.h5", options={"alpha": 0.25})
