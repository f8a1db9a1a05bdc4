"""A run that is trained once and looked at by several tests: pictures of three kinds of light, 36 of them."""

import atexit
import csv
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.config import load_config
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit

MARKS = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),  # Keras's own
]
CLASSES = {"bright": 220, "dark": 30, "mid": 120}
CONFIG = """
version: 1
seed: 3
source: {name: image_folder, path: pictures}
split: {train: 0.67, by: stratified}
sequence: {name: image, image_size: [8, 8], color: gray}
batch_size: 5
model: {name: cnn, filters: [4], dense_units: 8}
compile: {optimizer: {name: adam, learning_rate: 2e-2}, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {epochs: 3, workers: 2}
callbacks: []
"""


@functools.cache
def little_run():
    """Its folder, which also holds the pictures, in `pictures/<class>/<number>.png`; nobody may change it."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rng = np.random.default_rng(0)
    for name, light in CLASSES.items():
        for number in range(12):
            save(folder / "pictures" / name / f"{number:02d}.png", light, rng)
    (folder / "config.yaml").write_text(CONFIG)
    loaded = load_config(folder / "config.yaml")
    fit(loaded, FitOptions(folder / "run", "never", "none", ["seqtrain", "fit", "config.yaml"]))
    return folder / "run"


def save(path, light, rng, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(rng.normal(light, 10, size), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def history(run):
    with (run / "history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
