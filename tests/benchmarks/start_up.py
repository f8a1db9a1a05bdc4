"""How long a short run takes as a whole process, against the shortest Keras script that does the same.

    python -m tests.benchmarks.start_up --rounds 9

One epoch of `configs/digits.yaml`: imports, checks of the config, the data and the model, the epoch, checkpoints, plots
and the end of the process; against a script that reads the same folder with `image_dataset_from_directory`, builds the
same network and calls `fit`. The two run in turn; what counts is the median of the ratios of each pair.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
import keras
from keras import layers
reading = dict(image_size=(32, 32), color_mode="grayscale", batch_size=64, validation_split=0.2, seed=7)
train, val = keras.utils.image_dataset_from_directory(sys.argv[1], subset="both", **reading)
augment = [layers.RandomRotation(10 / 360), layers.RandomTranslation(0.05, 0.05), layers.RandomZoom(0.1)]
convolve = [
    layer
    for filters in (16, 32, 64)
    for layer in (layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D())
]
head = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(128, activation="relu"), layers.Dropout(0.3)]
model = keras.Sequential(
    [keras.Input((32, 32, 1)), *augment, layers.Rescaling(1 / 255), *convolve, *head, layers.Dense(10, "softmax")]
)
model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
stop = keras.callbacks.EarlyStopping("val_accuracy", patience=8, restore_best_weights=True)
model.fit(train, validation_data=val, epochs=1, callbacks=[stop])
"""


def seconds_of(command: list[str]) -> tuple[float, float]:
    """How long a command takes from its start to its end, and of processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}, capture_output=True, check=True)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratios(rounds: int) -> list[tuple[float, float]]:
    """Ours over the script's, pair by pair: of the time, and of the processors' time."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(SCRIPT)
        plain = [sys.executable, str(script), "data_samples/digits"]
        fit = [sys.executable, "-m", "seqtrain", "fit", "configs/digits.yaml", "-s", "fit.epochs=1", "--run-dir"]
        for number in range(rounds + 1):
            pair = seconds_of([*fit, f"{folder}/{number}"]), seconds_of(plain)
            if number:  # the first pair compiles and reads from the disk
                found.append((pair[0][0] / pair[1][0], pair[0][1] / pair[1][1]))
    return found


def main() -> None:
    """Prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    found = ratios(parser.parse_args().rounds)
    for name, values in zip(("time", "processors' time"), zip(*found, strict=True), strict=True):
        print(f"{name}: {statistics.median(values):.2f} x the script's ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
