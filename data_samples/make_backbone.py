"""Writes `backbone/mobilenet.weights.h5`: a small MobileNet (alpha 0.25, without its top) that knows digits 5 to 9.

It is trained here on half of the classes of `digits/`, so that a config can show what transferring it to the other
half is worth, as ImageNet's weights are to photographs. Run `make_digits.py` first; this takes a minute or two.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import keras
import numpy as np

FOLDER = Path(__file__).parent
FILE = FOLDER / "backbone" / "mobilenet.weights.h5"
CLASSES, EPOCHS, SIZE = "56789", 40, 64


def main() -> None:
    """Trains and writes the file."""
    keras.utils.set_random_seed(64)
    files = [
        (path, label) for label, name in enumerate(CLASSES) for path in sorted((FOLDER / "digits" / name).iterdir())
    ]
    x = np.stack([cv2.imread(str(path)) for path, _ in files]).astype(np.float32) / 127.5 - 1
    y = np.array([label for _, label in files])
    network = keras.applications.MobileNet(
        input_shape=(SIZE, SIZE, 3), alpha=0.25, include_top=False, weights=None, pooling="avg"
    )
    turn = keras.Sequential(
        [keras.layers.RandomRotation(0.05, "constant", fill_value=-1.0), keras.layers.RandomZoom(0.1, fill_value=-1.0)]
    )
    inputs = keras.Input((SIZE, SIZE, 3))
    outputs = keras.layers.Dense(len(CLASSES), activation="softmax")(keras.layers.Dropout(0.2)(network(turn(inputs))))
    model = keras.Model(inputs, outputs)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(x) // 32)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=EPOCHS, verbose=2)
    FILE.parent.mkdir(exist_ok=True)
    network.save_weights(FILE)


if __name__ == "__main__":
    main()
