import keras
import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.structure import FieldSpec

SMALL = {"filters": (4, 8), "latent_size": 3}


def supplied(shape, data_format="channels_last", dtype="uint8"):
    target = FieldSpec(shape, "float32", kind="pixels")
    return {"input_shape": shape, "input_dtype": dtype, "output_spec": target, "data_format": data_format}


def pixels(*shape):
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(16, 16), (7, 10), (1, 5), (13, 3)])
@pytest.mark.parametrize("filters", [(4,), (4, 8, 8)])
def test_pictures_of_any_size_come_out_in_their_size(build, size, filters):
    model = build("autoencoder", {**SMALL, "filters": filters}, **supplied((*size, 3)))
    drawn = model.predict(pixels(2, *size, 3), verbose=0)
    assert drawn.shape == (2, *size, 3)
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() <= drawn.max() <= 1


def test_everything_goes_through_the_latent_numbers(build):
    model = build("autoencoder", SMALL, **supplied((8, 8, 1)))
    latent = model.get_layer("latent").output
    assert latent.shape == (None, 3)
    encoder, decoder = keras.Model(model.input, latent), keras.Model(latent, model.output)
    x = pixels(4, 8, 8, 1)
    drawn = decoder.predict(encoder.predict(x, verbose=0), verbose=0)
    np.testing.assert_allclose(drawn, model.predict(x, verbose=0), atol=1e-6)


def test_channels_first_gives_the_same_pictures_as_channels_last(build):
    last = build("autoencoder", SMALL, **supplied((9, 6, 3)))
    first = build("autoencoder", SMALL, **supplied((3, 9, 6), "channels_first"))
    x = pixels(2, 9, 6, 3)
    drawn = first.predict(np.ascontiguousarray(np.moveaxis(x, -1, 1)), verbose=0)
    assert drawn.shape == (2, 3, 9, 6)
    np.testing.assert_allclose(np.moveaxis(drawn, 1, -1), last.predict(x, verbose=0), atol=1e-6)


@pytest.mark.parametrize(("shape", "data_format"), [((7, 5, 1), "channels_last"), ((3, 7, 5), "channels_first")])
def test_a_saved_autoencoder_draws_the_same(build, assert_survives_saving, shape, data_format):
    assert_survives_saving(build("autoencoder", SMALL, **supplied(shape, data_format)), pixels(2, *shape))


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
@pytest.mark.parametrize(
    ("shape", "target"),
    [((5,), FieldSpec((5,), "float32")), ((8, 8, 1), FieldSpec((), "int32")), ((8, 8, 1), None)],
)
def test_what_is_not_a_picture_with_a_picture_as_target_is_refused(build, name, shape, target):
    with pytest.raises(ConfigError, match=f"the model '{name}' takes pictures") as refused:
        build(name, **{**supplied(shape), "output_spec": target})
    assert "use the sequence 'autoencoder'" in str(refused.value)


def test_in_mixed_precision_pictures_come_out_in_float32(build):
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        models = [build(name, {**SMALL, "filters": (4,)}, **supplied((4, 4, 1))) for name in ("autoencoder", "vae")]
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    x = pixels(4, 4, 4, 1)
    for model in models:
        model.compile("adam", "mse")
        assert np.isfinite(model.train_on_batch(x, x / np.float32(255), return_dict=True)["loss"])
        assert model.predict(x, verbose=0).dtype == np.float32


def test_it_tells_where_a_bar_is_through_few_numbers(build):
    places = np.random.default_rng(5).integers(0, 11, 160)
    x = np.zeros((160, 12, 12, 1), dtype=np.uint8)
    for picture, place in zip(x, places, strict=True):
        picture[:, place : place + 2] = 255
    y = x / np.float32(255)
    model = build("autoencoder", {"filters": (8, 16), "latent_size": 4}, **supplied((12, 12, 1)))
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    model.fit(x[:128], y[:128], epochs=25, batch_size=16, verbose=0)
    mean_picture = ((y[128:] - y[:128].mean(axis=0)) ** 2).mean()
    assert model.evaluate(x[128:], y[128:], verbose=0) < 0.25 * mean_picture
