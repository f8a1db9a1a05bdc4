"""Matrix factorisation with biases: predicts ratings from the ids of users and items.

A rating is the sum of the global mean, a bias of the user, a bias of the item, and the dot product of their embeddings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from seqtrain.errors import ConfigError
from seqtrain.registry import models
from seqtrain.structure import FieldSpec
from seqtrain.types import Positive

_INPUTS = ("user", "item")


@models.register("recommender")
def recommender(
    input_spec: Mapping[str, FieldSpec],
    embedding_size: Positive = 16,
    l2: Annotated[float, Field(ge=0)] = 1e-5,
    initial_rating: float = 0.0,
) -> Any:
    """Predicts a rating from a user's id and an item's.

    Args:
        input_spec: The specs of the fields `user` and `item`, with their vocabulary sizes; supplied by the run.
        embedding_size: The size of the embeddings of users and items.
        l2: The weight of the L2 penalty on embeddings and biases.
        initial_rating: The prediction before training; training is shorter if it is near the mean of the ratings.

    Shapes:
        x: {user: (batch,), item: (batch,)}, integers
        output: (batch, 1)

    Raises:
        ConfigError: when the input does not consist of these two fields of ids.

    Source:
        Koren, Bell and Volinsky, 2009, "Matrix Factorization Techniques for Recommender Systems", equation 4.
    """
    import keras

    _check(input_spec)
    inputs = {name: keras.Input((), dtype=input_spec[name].dtype, name=name) for name in _INPUTS}

    def embedding(name: str, kind: str, size: int, initializer: str) -> Any:
        layer = keras.layers.Embedding(
            input_spec[name].vocabulary_size,
            size,
            embeddings_initializer=initializer,
            embeddings_regularizer=keras.regularizers.L2(l2),
            name=f"{name}_{kind}",
        )
        return layer(inputs[name])

    embeddings = [embedding(name, "embedding", embedding_size, "random_normal") for name in _INPUTS]
    biases = [embedding(name, "bias", 1, "zeros") for name in _INPUTS]
    affinity = keras.layers.Dot(axes=1, name="affinity")(embeddings)
    total = keras.layers.Add(name="affinity_and_biases")([affinity, *biases])
    mean = keras.initializers.Constant(initial_rating)
    # The layer's bias is the global mean; its only weight, initially 1, scales the deviation from it.
    rating = keras.layers.Dense(1, kernel_initializer="ones", bias_initializer=mean, dtype="float32", name="rating")
    return keras.Model(inputs, rating(total), name="recommender")


def _check(input_spec: Mapping[str, FieldSpec]) -> None:
    fits = (
        isinstance(input_spec, Mapping)
        and set(input_spec) == set(_INPUTS)
        and all(field.shape == () and field.vocabulary_size for field in input_spec.values())
    )
    if not fits:
        raise ConfigError(
            "the model 'recommender' takes the ids of users and items",
            expected="x with two fields `user` and `item`, each one integer with a known vocabulary size",
            received=f"x {_described(input_spec)}",
            fix="use the source and the sequence for ratings, or another model",
        )


def _described(input_spec: Any) -> str:
    if not isinstance(input_spec, Mapping):
        return "with one field" if input_spec is not None else "without fields"
    fields = (
        f"`{name}` of shape {field.shape}, {field.dtype}, "
        + (f"vocabulary of {field.vocabulary_size}" if field.vocabulary_size else "vocabulary unknown")
        for name, field in input_spec.items()
    )
    return "with the fields " + "; ".join(fields)
