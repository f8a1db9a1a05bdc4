"""Transfer learning: any network of `keras.applications` with its own preprocessing and a new head.

With pretrained weights, batch normalisation stays in inference mode, also during fine-tuning: the statistics of a few
small batches would spoil the weights.
"""

from __future__ import annotations

import logging
import sys
import textwrap
from pathlib import Path
from typing import Any, Literal

from seqtrain.errors import ConfigError, did_you_mean, one_of
from seqtrain.models.arguments import DropoutRate
from seqtrain.registry import models
from seqtrain.types import DataFormat, Positive

log = logging.getLogger("seqtrain")


@models.register("backbone")
def backbone(
    input_shape: tuple[int, ...],
    input_dtype: str,
    num_classes: int | None,
    backbone: str,
    weights: Literal["imagenet"] | Path | None = None,
    trainable: bool | Positive = True,
    pooling: Literal["avg", "max"] = "avg",
    dropout: DropoutRate = 0.2,
    options: dict[str, Any] | None = None,
    data_format: DataFormat = "channels_last",
) -> Any:
    """A classifier, or a regressor of one value, on the features of a network of `keras.applications`.

    Args:
        input_shape: The shape of one image; supplied by the run.
        input_dtype: The dtype of the batches: uint8, or floats from 0 to 255; supplied by the run.
        num_classes: The width of the softmax; None for one linear output; supplied by the run.
        backbone: The network's name in `keras.applications`, such as EfficientNetB0, ResNet50 or MobileNetV2.
        weights: A file of weights without the top layers, as Keras saves or offers it; imagenet, which Keras downloads;
            or null for random weights.
        trainable: Whether the backbone is trained, or how many of its last layers are. `fine_tune:` can change it
            after some epochs.
        pooling: How the features of all positions are reduced to one vector.
        dropout: The share of features to drop.
        options: Further arguments of the backbone, such as {alpha: 0.35}.
        data_format: The layout of the batches; supplied by the run. The network computes in channels_last.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), with 1 or 3 channels
        output: (batch, num_classes), softmax; or (batch, 1)

    Raises:
        ConfigError: when Keras has no such network, or rejects the size, the weights or an option.

    Example:
        model: {name: backbone, backbone: EfficientNetB0, weights: imagenet, trainable: false}
    """
    import keras

    from seqtrain.models.layers import channels_last, output_layer

    channels_axis = 0 if data_format == "channels_first" else -1
    if len(input_shape) != 3 or input_shape[channels_axis] not in (1, 3):
        raise ConfigError(
            "the model 'backbone' takes images of one channel or three", received=f"x of shape {input_shape}"
        )
    inputs = keras.Input(input_shape, dtype=input_dtype, name="image")
    x = (
        inputs
        if input_dtype.startswith("float")
        else keras.layers.Rescaling(1.0, dtype="float32", name="floats")(inputs)
    )
    x = channels_last(x, input_shape, 2, data_format)
    if input_shape[channels_axis] == 1:
        x = keras.layers.Concatenate(name="gray_to_rgb")([x, x, x])
    network, preprocess = _network(backbone, tuple(x.shape[1:]), weights, pooling, options or {})
    _freeze(network, trainable, freezes_normalization=weights is not None)
    if weights is None and trainable is not True:
        log.warning("model.backbone: it begins with random weights that are not all trained: name a file of `weights:`")
    x = network(preprocess(x))
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, output_layer(num_classes)(x), name="backbone_classifier")


def _network(
    name: str, shape: tuple[int, ...], weights: str | Path | None, pooling: str, options: dict[str, Any]
) -> tuple[Any, Any]:
    """The network without its top layers, and its preprocessing function for pixels from 0 to 255."""
    import keras

    names = [key for key, value in vars(keras.applications).items() if key[0].isupper() and callable(value)]
    if name not in names:
        raise ConfigError(
            f"model.backbone: keras.applications has no '{name}'",
            expected=one_of(sorted(names)),
            fix=did_you_mean(name, names),
        )
    build = getattr(keras.applications, name)
    try:
        network = build(
            include_top=False,
            weights=str(weights) if weights else None,
            input_shape=shape,
            pooling=pooling,
            **options,
        )
    except Exception as error:  # failed downloads raise plain `Exception`
        downloads = weights == "imagenet" and not isinstance(error, (TypeError, ValueError))
        raise ConfigError(
            f"model: Keras cannot {'download the weights of' if downloads else 'build'} {name} on images of {shape}",
            received=textwrap.shorten(str(error), 300),
            fix="fetch the file without top elsewhere, and name it: weights: PATH" if downloads else None,
        ) from error
    return network, sys.modules[build.__module__].preprocess_input


def _freeze(network: Any, trainable: bool | int, freezes_normalization: bool) -> None:
    """Freezes all but the last `trainable` layers, and with `freezes_normalization` all batch normalisation."""
    import keras

    count = len(network.layers) if trainable is True else int(trainable)
    for number, layer in enumerate(reversed(network.layers)):
        is_frozen = freezes_normalization and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number < count and not is_frozen
