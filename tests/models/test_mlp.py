import numpy as np
import pytest

from seqtrain.errors import ConfigError


@pytest.mark.long
def test_it_learns_a_sum(build):
    x = np.random.default_rng(1).random((512, 2), dtype=np.float32)
    y = x.sum(axis=1)
    model = build("mlp", {"units": (16,)}, input_shape=(2,), input_dtype="float32", num_classes=None)
    model.compile("adam", "mse")
    model.fit(x, y, epochs=60, batch_size=32, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.1 * np.var(y)  # the mean alone has the variance


def test_it_flattens_images_and_gives_probabilities(build, assert_survives_saving):
    model = build("mlp", {"units": (8,), "dropout": 0.5}, input_shape=(4, 4, 1), input_dtype="uint8", num_classes=3)
    x = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 1), dtype=np.uint8)
    np.testing.assert_allclose(model.predict(x, verbose=0).sum(axis=1), np.ones(5), atol=1e-5)
    assert_survives_saving(model, x)


@pytest.mark.parametrize("dtype", ["int64", "float64", "bool", "float16"])
def test_every_number_type_can_be_the_input(build, dtype):
    model = build("mlp", {"units": (8,), "num_outputs": 2}, input_shape=(), input_dtype=dtype, num_classes=None)
    assert model.predict(np.zeros(3, dtype), verbose=0).shape == (3, 2)


def test_the_number_of_layers_follows_units(build):
    model = build(
        "mlp", {"units": (8, 4, 2), "activation": "tanh"}, input_shape=(3,), input_dtype="float32", num_classes=None
    )
    # weights and biases by hand: 3*8+8 + 8*4+4 + 4*2+2 + 2*1+1
    assert model.count_params() == 32 + 36 + 10 + 3


def test_several_inputs_are_refused(build):
    with pytest.raises(ConfigError, match="takes one input"):
        build("mlp", input_shape={"user": ()}, input_dtype="int32", num_classes=None)
