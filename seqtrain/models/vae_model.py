"""The Keras model of a variational autoencoder: sampling, loss and logs.

For an image x the encoder returns a normal distribution q(z|x) with a diagonal covariance, and the decoder returns an
image for each z. The loss per image is

    loss = reconstruction_loss + beta * kl

where `reconstruction_loss` is the compiled loss, summed over the image's values, and `kl` is the divergence of q(z|x)
from a standard normal distribution, summed over the latent values. In training, z is sampled from q(z|x); otherwise it
is the mean, so that predictions and validation losses are reproducible.

Source: Kingma and Welling, 2014, "Auto-Encoding Variational Bayes", section 2.4 and appendix B.
"""

from __future__ import annotations

import math
from typing import Any, Self

import keras
from keras import ops

from seqtrain import keras_private


@keras.saving.register_keras_serializable(package="seqtrain")
class VariationalAutoencoder(keras.Model):
    """A variational autoencoder made of an encoder and a decoder.

    Args:
        encoder: The model from images to the mean and the logarithm of the variance of their distributions.
        decoder: The model from latent vectors to images.
        beta: The weight of the KL divergence.
        seed: The seed of sampling in training; its state is a variable of the model, so a checkpoint keeps it.

    Shapes:
        x: The encoder's input.
        output: The decoder's output.
    """

    def __init__(self, encoder: Any, decoder: Any, beta: float = 1.0, seed: int | None = None, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.encoder = encoder
        self.decoder = decoder
        self.beta = beta
        self.seed = seed
        self.latent_size: int = decoder.input_shape[-1]
        self._num_values = math.prod(decoder.output_shape[1:])
        self._noise = keras.random.SeedGenerator(seed)
        self._logged = {name: keras.metrics.Mean(name=name) for name in ("kl", "reconstruction_loss")}

    def call(self, x: Any, training: bool = False) -> Any:
        """Reconstructs images, and adds their mean KL divergence as a loss."""
        mean, log_variance = self.encoder(x, training=training)
        self.add_loss(ops.mean(kl_divergence(mean, log_variance)))
        if not training:
            return self.decoder(mean, training=training)
        drawn = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self._noise)
        return self.decoder(mean + ops.exp(log_variance / 2) * drawn, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss, whose two parts are logged. Keras's mean over the values of an image becomes their sum."""
        kl = sum(self.losses)  # a single loss, except while Keras infers shapes on JAX
        reconstruction_loss = keras_private.compile_loss(self)(y, y_pred, sample_weight) * self._num_values
        count = ops.shape(y_pred)[0]
        self._logged["kl"].update_state(kl, sample_weight=count)
        self._logged["reconstruction_loss"].update_state(reconstruction_loss, sample_weight=count)
        return reconstruction_loss + self.beta * kl

    def decode(self, latent: Any) -> Any:
        """Decodes latent vectors, (batch, latent_size); vectors from a standard normal distribution give new images."""
        return self.decoder(latent, training=False)

    def get_config(self) -> dict[str, Any]:
        """The config of the model, without its weights."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "beta": self.beta,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the model from a config."""
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("encoder", "decoder")}
        return cls(**{**config, **parts})


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """The divergence of normal distributions from the standard normal one, in nats, summed over the last axis."""
    return -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
