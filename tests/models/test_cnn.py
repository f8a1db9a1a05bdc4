import keras
import numpy as np
import pytest

from seqtrain.errors import ConfigError

SMALL = {"filters": (4, 8), "dense_units": 8}
PIXELS = np.random.default_rng(3).integers(0, 256, (6, 16, 12, 3), dtype=np.uint8)


def test_uint8_is_rescaled_in_the_model(build):
    supplied = {"input_shape": (16, 12, 3), "num_classes": 4, "data_format": "channels_last"}
    of_bytes = build("cnn", SMALL, input_dtype="uint8", **supplied)
    of_floats = build("cnn", SMALL, input_dtype="float32", **supplied)
    assert of_bytes.input.dtype == "uint8"
    of_floats.set_weights(of_bytes.get_weights())
    scaled = PIXELS.astype("float32") / 255
    np.testing.assert_allclose(of_bytes.predict(PIXELS, verbose=0), of_floats.predict(scaled, verbose=0), atol=1e-6)


def test_channels_first_gives_the_same_predictions_as_channels_last(build):
    common = {"input_dtype": "uint8", "num_classes": 4}
    last = build("cnn", SMALL, input_shape=(16, 12, 3), data_format="channels_last", **common)
    first = build("cnn", SMALL, input_shape=(3, 16, 12), data_format="channels_first", **common)
    transposed = np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first.predict(transposed, verbose=0), last.predict(PIXELS, verbose=0), atol=1e-6)


def test_outputs_are_probabilities_of_the_classes(build):
    model = build(
        "cnn", SMALL, input_shape=(16, 12, 3), input_dtype="uint8", num_classes=4, data_format="channels_last"
    )
    predictions = model.predict(PIXELS, verbose=0)
    assert predictions.shape == (6, 4)
    np.testing.assert_allclose(predictions.sum(axis=1), np.ones(6), atol=1e-5)


def test_without_classes_there_is_one_linear_output(build):
    model = build(
        "cnn", SMALL, input_shape=(16, 12), input_dtype="float32", num_classes=None, data_format="channels_last"
    )
    assert model.output_shape == (None, 1)
    assert model.layers[-1].activation is keras.activations.linear


def test_more_blocks_than_halvings_still_build(build):
    deep = {"filters": (2, 2, 2, 2), "dense_units": 4}
    model = build("cnn", deep, input_shape=(3, 3, 1), input_dtype="uint8", num_classes=2, data_format="channels_last")
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_saved_cnn_predicts_the_same(build, assert_survives_saving, data_format):
    x = PIXELS if data_format == "channels_last" else np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2))
    model = build("cnn", SMALL, input_shape=x.shape[1:], input_dtype="uint8", num_classes=4, data_format=data_format)
    assert_survives_saving(model, x)


def test_it_learns_in_mixed_precision_with_float32_outputs(build):
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = build(
            "cnn", SMALL, input_shape=(16, 12, 3), input_dtype="uint8", num_classes=2, data_format="channels_last"
        )
        model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
        history = model.fit(PIXELS, np.array([0, 1, 0, 1, 0, 1]), epochs=1, verbose=0)
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    assert np.isfinite(history.history["loss"]).all()
    assert model.get_layer("convolution_1").compute_dtype == "float16"
    assert model.predict(PIXELS, verbose=0).dtype == np.float32


def test_layer_names_do_not_depend_on_what_was_built_before(build):
    supplied = {"input_shape": (16, 12, 3), "input_dtype": "uint8", "num_classes": 4, "data_format": "channels_last"}
    assert [layer.name for layer in build("cnn", SMALL, **supplied).layers] == [
        layer.name for layer in build("cnn", SMALL, **supplied).layers
    ]


@pytest.mark.parametrize("input_shape", [(5,), (), None])
def test_an_input_that_is_no_image_is_refused(build, input_shape):
    with pytest.raises(ConfigError, match="takes images") as refused:
        build("cnn", input_shape=input_shape, input_dtype="float32", num_classes=2, data_format="channels_last")
    assert "such as 'mlp'" in str(refused.value)


def test_it_tells_two_shapes_apart(build):
    generator = np.random.default_rng(5)
    y = np.arange(128) % 2
    x = generator.integers(0, 60, (128, 12, 12, 1), dtype=np.uint8)
    for image, label in zip(x, y, strict=True):
        at = generator.integers(1, 9)
        image[(slice(at, at + 2), slice(None)) if label else (slice(None), slice(at, at + 2))] = 255
    model = build(
        "cnn", SMALL, input_shape=(12, 12, 1), input_dtype="uint8", num_classes=2, data_format="channels_last"
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:96], y[:96], epochs=20, batch_size=16, verbose=0)
    assert model.evaluate(x[96:], y[96:], verbose=0)[1] >= 0.9
