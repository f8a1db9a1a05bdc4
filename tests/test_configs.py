"""Every shipped config learns: its metric reaches what neither chance nor a trivial answer does."""

import csv

import pytest

from seqtrain.config import load_config
from seqtrain.loading.pipeline import open_data
from tests.conftest import CONFIGS, seqtrain

ALL = sorted(CONFIGS.glob("*.yaml"))

# What the best epoch must reach, and why that is more than chance.
LEARNS = {
    "digits": ("val_accuracy", 0.95),  # ten classes of equal size: chance is 0.10; promised by the README
    "augmented_digits": ("val_accuracy", 0.90),  # five classes of equal size: chance is 0.20
    "cached_digits": ("val_accuracy", 0.95),  # as digits
    "photos_manifest": ("val_accuracy", 0.85),  # two classes of equal size: chance is 0.50
    "arrays": ("val_accuracy", 0.80),  # two classes of equal size; mean, maximum and deviation of pixels give 0.63
    "arrays_channels_first": ("val_accuracy", 0.80),  # the same slices
    "csv_pixels": ("val_accuracy", 0.90),  # ten classes of equal size: chance is 0.10
    "my_sequences": ("val_accuracy", 0.85),  # ten classes of equal size: chance is 0.10
    "ratings": ("val_loss", 0.5),  # see the test of the baseline
    "synthetic_sum": ("val_mae", 0.02),  # answering 1, the mean of the sums, errs by 1/3
}


def test_every_config_is_listed_here():
    assert {path.stem for path in ALL} == set(LEARNS)


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_config_learns(path, tmp_path):
    done = seqtrain("fit", path, "--run-dir", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    metric, bound = LEARNS[path.stem]
    with (tmp_path / "run" / "history.csv").open() as file:
        values = [float(row[metric]) for row in csv.DictReader(file)]
    assert min(values) < bound if metric in ("val_loss", "val_mae") else max(values) >= bound


def test_the_recommender_must_beat_the_mean_rating_of_the_training_part():
    data = open_data(load_config(CONFIGS / "ratings.yaml"))
    labels = data.source.labels
    mean = labels[data.split.train].mean()
    baseline = float(((labels[data.split.val] - mean) ** 2).mean())
    assert LEARNS["ratings"][1] < 0.75 * baseline
