"""A variational autoencoder: encodes images as distributions over short vectors, and can generate new images."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seqtrain.models.arguments import LayerWidths
from seqtrain.registry import models
from seqtrain.types import DataFormat, Positive


@models.register("vae")
def vae(
    input_shape: tuple[int, ...],
    input_dtype: str,
    output_spec: Any,
    data_format: DataFormat = "channels_last",
    seed: int | None = None,
    filters: LayerWidths = (32, 64),
    kernel_size: Positive = 3,
    latent_size: Positive = 16,
    beta: Annotated[float, Field(ge=0)] = 1.0,
) -> Any:
    """A convolutional variational autoencoder; logs `kl`, `reconstruction_loss` and `loss`, their weighted sum.

    The compiled loss is the reconstruction loss, summed over an image's values; with binary_crossentropy and beta 1,
    `loss` is the negative evidence lower bound.

    Args:
        input_shape: The shape of one image; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        output_spec: The spec of the targets, which have the inputs' shape; supplied by the run.
        data_format: The layout of the batches; supplied by the run.
        seed: The seed of the latent vectors that are sampled in training; supplied by the run.
        filters: The filters of the convolutions, each of which halves the image; the decoder mirrors them.
        kernel_size: The kernel size of the convolutions.
        latent_size: The size of the latent vectors.
        beta: The weight of the KL divergence: above 1, the latent values are more independent, and images more blurred.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), of any size
        output: the same shape, float32, 0 to 1

    Raises:
        ConfigError: when the inputs are not images, or the targets have another shape.

    Source:
        Kingma and Welling, 2014, "Auto-Encoding Variational Bayes"; Higgins et al., 2017, "beta-VAE", for beta.
    """
    import keras

    from seqtrain.models.image_coder import check_images, decoded, encoded
    from seqtrain.models.layers import channels_last, float_input
    from seqtrain.models.vae_model import VariationalAutoencoder

    check_images("vae", input_shape, output_spec)
    inputs, x = float_input(input_shape, input_dtype, name="image")
    x = encoded(channels_last(x, input_shape, 2, data_format), filters, kernel_size)
    # In float32 under every precision policy: the variance is an exponential.
    mean = keras.layers.Dense(latent_size, dtype="float32", name="mean")(x)
    log_variance = keras.layers.Dense(latent_size, dtype="float32", name="log_variance")(x)
    encoder = keras.Model(inputs, [mean, log_variance], name="encoder")
    latent = keras.Input((latent_size,), name="latent")
    decoder = keras.Model(latent, decoded(latent, input_shape, data_format, filters, kernel_size), name="decoder")
    return VariationalAutoencoder(encoder, decoder, beta=beta, seed=seed, name="vae")
