import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from seqtrain.models.vae_model import kl_divergence
from seqtrain.structure import FieldSpec

SHAPE = (6, 5, 2)
SMALL = {"filters": (4,), "latent_size": 3}
X = np.random.default_rng(3).integers(0, 256, (10, *SHAPE), dtype=np.uint8)
Y = X / np.float32(255)


@pytest.fixture
def vae(build):
    def vae(seed=7, shape=SHAPE, data_format="channels_last", loss="binary_crossentropy", **arguments):
        target = FieldSpec(shape, "float32", kind="pixels")
        supplied = {"input_shape": shape, "input_dtype": "uint8", "output_spec": target, "data_format": data_format}
        model = build("vae", {**SMALL, **arguments}, seed=seed, **supplied)
        model.compile(keras.optimizers.SGD(0.0), loss, metrics=["mse"])
        return model

    return vae


def test_the_divergence_is_the_closed_form():
    # By hand: -1/2 (1 + log 4 - 1 - 4) = 2 - log 2 for N(1, 4), and 0 for the standard normal distribution.
    mean, log_variance = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[np.log(4.0), 0.0], [0.0, 0.0]])
    divergence = keras.ops.convert_to_numpy(kl_divergence(mean, log_variance))
    np.testing.assert_allclose(divergence, [2 - np.log(2), 0], atol=1e-6)


def test_the_divergence_is_what_sampling_estimates():
    generator = np.random.default_rng(0)
    mean, deviation = 0.7, 0.4
    z = generator.normal(mean, deviation, 200_000)
    log_ratio = -np.log(deviation) - ((z - mean) / deviation) ** 2 / 2 + z**2 / 2
    divergence = kl_divergence(np.array([[mean]]), np.array([[2 * np.log(deviation)]]))
    assert float(keras.ops.convert_to_numpy(divergence)[0]) == pytest.approx(log_ratio.mean(), abs=0.01)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_both_parts_of_the_loss_are_logged_and_add_up(vae, beta):
    model = vae(beta=beta)
    logs = model.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)
    mean, log_variance = model.encoder.predict(X, verbose=0)
    kl = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum(axis=1)
    drawn = model.predict(X, verbose=0).astype(np.float64)
    cross_entropy = -(Y * np.log(drawn) + (1 - Y) * np.log(1 - drawn)).sum(axis=(1, 2, 3))
    assert logs["kl"] == pytest.approx(kl.mean(), rel=1e-4)
    assert logs["reconstruction_loss"] == pytest.approx(cross_entropy.mean(), rel=1e-4)
    assert logs["loss"] == pytest.approx(cross_entropy.mean() + beta * kl.mean(), rel=1e-4)
    assert logs["mse"] == pytest.approx(((drawn - Y) ** 2).mean(), rel=1e-4)


def test_training_draws_and_validation_does_not(vae):
    model = vae()
    validations = [model.evaluate(X, Y, verbose=0) for _ in range(2)]
    assert validations[0] == validations[1]
    trainings = [model.train_on_batch(X, Y)[0] for _ in range(2)]  # the learning rate is 0
    assert trainings[0] != trainings[1]


def test_draws_follow_the_seed_whose_state_is_a_variable(vae):
    model = vae()
    state = [variable for variable in model.variables if "seed" in variable.path]
    assert len(state) == 1
    before = state[0].numpy()
    first = model.train_on_batch(X, Y)
    assert not np.array_equal(state[0].numpy(), before)
    state[0].assign(before)
    model.reset_metrics()
    assert model.train_on_batch(X, Y) == first
    assert vae().train_on_batch(X, Y) == first
    assert vae(seed=8).train_on_batch(X, Y) != first


def test_a_saved_vae_draws_the_same_and_goes_on_training(vae, assert_survives_saving, tmp_path):
    model = vae(shape=(2, 6, 5), data_format="channels_first", beta=2.0)
    x = np.ascontiguousarray(np.moveaxis(X, -1, 1))
    assert_survives_saving(model, x)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.beta, loaded.latent_size) == (2.0, 3)
    y = np.ascontiguousarray(np.moveaxis(Y, -1, 1))
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_new_pictures_are_drawn_from_latent_numbers(vae):
    drawn = keras.ops.convert_to_numpy(vae().decode(np.zeros((4, 3), dtype=np.float32)))
    assert drawn.shape == (4, *SHAPE)
    assert 0 <= drawn.min() <= drawn.max() <= 1


def test_it_finds_the_two_kinds_of_pictures_that_there_are(vae):
    x = np.zeros((64, 6, 6, 1), dtype=np.uint8)
    x[::2, :3] = 255
    x[1::2, 3:] = 255
    y = x / np.float32(255)
    model = vae(shape=(6, 6, 1), filters=(8,), latent_size=2)
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    model.fit(x, y, epochs=40, batch_size=16, verbose=0)
    # Which of two pictures it is takes log 2 nats; the mean picture costs 36 log 2.
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] < 0.3 * 36 * np.log(2)


ON_JAX = """
import numpy as np
from seqtrain.models.vae import vae
from seqtrain.structure import FieldSpec
x = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
y = x / np.float32(255)
model = vae((4, 4, 1), "uint8", FieldSpec((4, 4, 1), "float32"), seed=7, filters=(2,), latent_size=2)
model.compile("adam", "mse")
history = model.fit(x, y, validation_data=(x, y), batch_size=4, epochs=1, verbose=0).history
for before in ("", "val_"):
    parts = history[before + "reconstruction_loss"][0] + history[before + "kl"][0]
    assert abs(history[before + "loss"][0] - parts) < 1e-4, history
    assert history[before + "kl"][0] > 0, history
"""


@pytest.mark.slow
def test_it_trains_on_jax():
    pytest.importorskip("jax")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", ON_JAX], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
