import keras
import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.models.unet_blocks import encode_and_decode

SMALL = {"filters": (4, 6, 8)}
COMMON = {"input_dtype": "uint8", "num_classes": 3, "data_format": "channels_last"}
PIXELS = np.random.default_rng(3).integers(0, 256, (4, 13, 10, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(16, 16), (13, 10), (7, 31), (5, 1)])
def test_every_pixel_of_any_size_gets_the_probabilities_of_the_classes(build, size):
    model = build("unet", SMALL, input_shape=(*size, 3), **COMMON)
    x = np.random.default_rng(3).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    predicted = np.asarray(model(x))
    assert predicted.shape == (2, *size, 3)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted.sum(axis=-1), np.ones((2, *size)), atol=1e-5)


def test_channels_first_gives_the_same_predictions_as_channels_last(build):
    last = build("unet", SMALL, input_shape=(13, 10, 3), **COMMON)
    first = build("unet", SMALL, input_shape=(3, 13, 10), **{**COMMON, "data_format": "channels_first"})
    transposed = np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(np.asarray(first(transposed)), np.asarray(last(PIXELS)), atol=1e-6)


def test_images_without_channels_are_taken_as_gray(build):
    model = build("unet", {**SMALL, "dropout": 0.2}, input_shape=(13, 10), **COMMON)
    assert model.output_shape == (None, 13, 10, 3)


@pytest.mark.parametrize("normalization", ["batch", "group", "none"])
def test_a_saved_unet_predicts_the_same(build, assert_survives_saving, normalization):
    arguments = {**SMALL, "normalization": normalization}
    assert_survives_saving(build("unet", arguments, input_shape=(13, 10, 3), **COMMON), PIXELS)


def test_weights_are_those_of_the_architecture(build):
    model = build("unet", {"filters": (2, 4), "normalization": "none"}, input_shape=(8, 8, 3), **COMMON)
    # by hand: encoder 3>2>2, bottom 2>4>4, up 4>2 (2x2), decoder 4>2>2, scores 2>3
    by_hand = (3 * 2 * 9 + 2) + (2 * 2 * 9 + 2) + (2 * 4 * 9 + 4) + (4 * 4 * 9 + 4) + (4 * 2 * 4 + 2)
    assert model.count_params() == by_hand + (4 * 2 * 9 + 2) + (2 * 2 * 9 + 2) + (2 * 3 + 3)


def test_a_pixel_sees_fine_detail_past_the_bottom(build):
    model = build("unet", {"filters": (4, 6), "normalization": "none"}, input_shape=(32, 32, 1), **COMMON)
    x = np.zeros((1, 32, 32, 1), np.uint8)
    other = x.copy()
    other[0, 10, 10] = 255
    changed = np.abs(np.asarray(model(x)) - np.asarray(model(other))).max(axis=-1)[0] > 0
    rows, columns = np.nonzero(changed)
    assert changed[10, 10]
    assert rows.max() < 24  # the receptive field ends
    assert columns.max() < 24


@pytest.mark.parametrize("size", [(8, 8, 8), (5, 7, 3)])
def test_the_blocks_segment_volumes_too(size):
    inputs = keras.Input((*size, 1))
    features = encode_and_decode(inputs, (2, 3, 4), 3, dropout=0.1, normalization="group")
    assert features.shape == (None, *size, 2)


def test_outputs_stay_float32_in_mixed_precision(build):
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = build("unet", SMALL, input_shape=(13, 10, 3), **COMMON)
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    assert model.get_layer("bottom_convolution_1").compute_dtype == "float16"
    assert np.asarray(model(PIXELS)).dtype == np.float32


@pytest.mark.parametrize("input_shape", [(5,), (), None, (8, 8, 8, 1), (None, None, 3)])
def test_an_input_that_is_no_image_is_refused(build, input_shape):
    with pytest.raises(ConfigError, match="takes images of one size"):
        build("unet", input_shape=input_shape, **COMMON)


@pytest.mark.parametrize(("num_classes", "received"), [(None, "targets without classes"), (1, "one class")])
def test_targets_without_two_classes_are_refused(build, num_classes, received):
    with pytest.raises(ConfigError, match="at least two classes") as refused:
        build("unet", input_shape=(8, 8, 3), **{**COMMON, "num_classes": num_classes})
    assert received in str(refused.value)
