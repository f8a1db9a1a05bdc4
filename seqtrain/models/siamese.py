"""A network that embeds images, so that they can be compared by the distance of their embeddings.

It learns similarity instead of classes: it can recognise classes that it was not trained on, from one example each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.models.arguments import DropoutRate, LayerWidths
from seqtrain.registry import models
from seqtrain.structure import FieldSpec
from seqtrain.types import DataFormat, Positive

PAIR = ("a", "b")
TRIPLET = ("anchor", "positive", "negative")
EMBEDDING = "embedding"  # the name of the shared network in the model


@models.register("siamese")
def siamese(
    input_spec: Mapping[str, FieldSpec],
    data_format: DataFormat = "channels_last",
    filters: LayerWidths = (32, 64),
    kernel_size: Positive = 3,
    dropout: DropoutRate = 0.0,
    embedding_size: Positive = 32,
) -> Any:
    """Embeds each image of a pair or of a triplet with one convolutional network, as a vector of length 1.

    For a pair the output is the Euclidean distance, from 0 to 2: train it with the loss `contrastive`. For a triplet it
    is the three embeddings: train it with the loss `triplet`. The embedding network is the layer `embedding`.

    Args:
        input_spec: The specs of the fields `a` and `b`, or `anchor`, `positive` and `negative`; supplied by the run.
        data_format: The layout of the batches; supplied by the run. The network computes in channels_last.
        filters: The filters of each block of convolution, ReLU and max pooling.
        kernel_size: The kernel size of the convolutions.
        dropout: The share of units to drop before the embedding.
        embedding_size: The size of the embeddings.

    Shapes:
        x: {a, b} or {anchor, positive, negative}, each (batch, height, width, channels) or (batch, channels, height,
            width)
        output: (batch,), for pairs; (batch, 3, embedding_size), for triplets

    Raises:
        ConfigError: when the input is neither a pair nor a triplet of images.

    Source:
        Bromley, Guyon, LeCun, Säckinger and Shah, 1993, "Signature Verification using a 'Siamese' Time Delay Neural
        Network"; Koch, Zemel and Salakhutdinov, 2015, "Siamese Neural Networks for One-shot Image Recognition".
    """
    import keras

    from seqtrain.models.layers import channels_last, convolution_blocks, float_input

    _check(input_spec)
    spec = next(iter(input_spec.values()))
    inputs, x = float_input(spec.shape, spec.dtype, name="image")
    x = convolution_blocks(channels_last(x, spec.shape, 2, data_format), filters, kernel_size)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(embedding_size, dtype="float32", name="projection")(x)
    embed = keras.Model(inputs, keras.layers.UnitNormalization(dtype="float32", name="unit_length")(x), name=EMBEDDING)

    images = {name: keras.Input(field.shape, dtype=field.dtype, name=name) for name, field in input_spec.items()}
    if set(images) == set(PAIR):
        output = _distance(*(embed(images[name]) for name in PAIR))
    else:
        output = keras.ops.stack([embed(images[name]) for name in TRIPLET], axis=1)
    return keras.Model(images, output, name="siamese")


def _distance(first: Any, second: Any) -> Any:
    """The Euclidean distance, kept above zero, where the square root has no gradient."""
    import keras

    squared = keras.ops.sum(keras.ops.square(first - second), axis=-1)
    return keras.ops.sqrt(keras.ops.maximum(squared, keras.config.epsilon() ** 2))


def _check(input_spec: Any) -> None:
    names = set(input_spec) if isinstance(input_spec, Mapping) else set()
    fields = list(input_spec.values()) if names else []
    if names not in (set(PAIR), set(TRIPLET)) or any(field != fields[0] or len(field.shape) != 3 for field in fields):
        received = {name: field.shape for name, field in input_spec.items()} if names else "one field"
        raise ConfigError(
            "the model 'siamese' takes pairs or triplets of images",
            expected="x with the fields `a` and `b`, or `anchor`, `positive` and `negative`, images of one shape",
            received=f"x with {received}",
            fix="use the sequence image_pairs or image_triplets, or another model such as 'cnn'",
        )
