"""A model of which a part can be frozen."""

import keras

from seqtrain.registry import models


@models.register("two_phases")
def two_phases(num_classes: int, trainable: bool | int = True):
    """Features, frozen or not, with seeds of their own, under a head."""
    features = keras.layers.Dense(8, activation="relu", name="features")
    features.trainable = bool(trainable)
    inputs = keras.Input((2,), name="point")
    x = keras.layers.Dropout(0.2, seed=3)(features(inputs))
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax", name="head")(x))
