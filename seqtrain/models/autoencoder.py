"""An autoencoder: encodes images as short vectors, and reconstructs the images from these."""

from __future__ import annotations

from typing import Any

from seqtrain.models.arguments import LayerWidths
from seqtrain.registry import models
from seqtrain.types import DataFormat, Positive


@models.register("autoencoder")
def autoencoder(
    input_shape: tuple[int, ...],
    input_dtype: str,
    output_spec: Any,
    data_format: DataFormat = "channels_last",
    filters: LayerWidths = (32, 64),
    kernel_size: Positive = 3,
    latent_size: Positive = 32,
) -> Any:
    """A convolutional autoencoder; with noisy inputs and clean targets, a denoiser.

    Args:
        input_shape: The shape of one image; supplied by the run.
        input_dtype: The dtype of the batches; uint8 is rescaled to 0 to 1, others are not. Supplied by the run.
        output_spec: The spec of the targets, which have the inputs' shape; supplied by the run.
        data_format: The layout of the batches; supplied by the run.
        filters: The filters of the convolutions, each of which halves the image; the decoder mirrors them.
        kernel_size: The kernel size of the convolutions.
        latent_size: The number of values that an image is encoded as.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), of any size
        output: the same shape, float32, 0 to 1

    Raises:
        ConfigError: when the inputs are not images, or the targets have another shape.

    Source:
        Hinton and Salakhutdinov, 2006, "Reducing the Dimensionality of Data with Neural Networks"; Vincent et al.,
        2010, "Stacked Denoising Autoencoders", for the denoiser.
    """
    import keras

    from seqtrain.models.image_coder import check_images, decoded, encoded
    from seqtrain.models.layers import channels_last, float_input

    check_images("autoencoder", input_shape, output_spec)
    inputs, x = float_input(input_shape, input_dtype, name="image")
    x = encoded(channels_last(x, input_shape, 2, data_format), filters, kernel_size)
    latent = keras.layers.Dense(latent_size, name="latent")(x)
    return keras.Model(inputs, decoded(latent, input_shape, data_format, filters, kernel_size), name="autoencoder")
