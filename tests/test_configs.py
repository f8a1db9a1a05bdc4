"""Every shipped config learns: its metric reaches what neither chance nor a trivial answer does."""

import csv
import json

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.loading.pipeline import open_data
from seqtrain.structure import named_leaves
from seqtrain.training.dry_run import dry_run
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit
from tests.conftest import CONFIGS, ROOT, seqtrain_from_scratch

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
    "my_frame": ("val_mape", 30),  # per cent; the median price errs by 36
    "ratings": ("val_loss", 0.5),  # see the test of the baseline
    "backbone": ("val_accuracy", 0.85),  # five classes of equal size: chance is 0.20; the frozen phase alone gives 0.62
    "hdf5": ("val_accuracy", 0.90),  # ten classes of equal size: chance is 0.10
    "segmentation": ("val_mean_iou", 0.80),  # all background gives 0.28; every shape found and called a disc gives 0.51
    "segmentation_dice": ("val_dice_coefficient", 0.75),  # the same: 0 and 0.34
    "mask_folders": ("val_mean_iou", 0.80),  # all background gives 0.28; Otsu's threshold with a rim 0.75
    "encoded_masks": ("val_mean_iou", 0.80),  # all background gives 0.28; Otsu's threshold as one kind 0.48
    "coco_masks": ("val_mean_iou", 0.80),  # the same
    "siamese_pairs": (
        "val_one_shot_accuracy",
        0.55,
    ),  # 20 unseen characters: chance is 0.05, comparing pixels gives 0.40
    "siamese_triplets": ("val_one_shot_accuracy", 0.55),  # the same trials
    "pair_manifest": ("val_pair_accuracy", 0.80),  # balanced: chance is 0.50; the best threshold on pixels gives 0.69
    "autoencoder": ("val_loss", 0.012),  # mean squared error of pixels; see the test of the mean digit
    "denoising": ("val_loss", 0.020),  # the same
    "vae": ("val_loss", 100),  # nats a picture; see the same test
    "volume_slices": ("val_mean_iou", 0.80),  # brain and background perfect without a lesion give 2/3
    "volume_patches": ("val_mean_iou", 0.80),  # the same
    "volume_classification": ("val_loss", 0.20),  # chance is 0.69; a linear model of mean, deviation and maximum 0.30
    "table": ("val_loss", 0.25),  # see the test of the mean price
    "series": ("val_mae", 0.27),  # in standard deviations; see the test of the last value
    "synthetic_sum": ("val_mae", 0.02),  # answering 1, the mean of the sums, errs by 1/3
}

# These take longest, and share their source, their sequence or their model with one that does not.
LONG = [
    *("cached_digits", "arrays", "arrays_channels_first", "backbone", "volume_patches", "augmented_digits", "hdf5"),
    *("segmentation_dice", "mask_folders", "encoded_masks", "coco_masks", "autoencoder", "denoising"),
    *(
        "volume_classification",
        "csv_pixels",
        "siamese_triplets",
        "pair_manifest",
        "photos_manifest",
        "segmentation",
        "vae",
    ),
]


def test_every_config_is_listed_here():
    assert {path.stem for path in ALL} == set(LEARNS)


FALLS = ("val_loss", "val_mae")


def assert_learnt(name, run_dir):
    metric, bound = LEARNS[name]
    with (run_dir / "history.csv").open() as file:
        values = [float(row[metric]) for row in csv.DictReader(file)]
    assert min(values) < bound if metric in FALLS else max(values) >= bound


def until_learnt(path, folder):
    """The same config, which trains no longer than it takes to learn."""
    document = load_config(path).config.to_yaml()
    metric, bound = LEARNS[path.stem]
    document["imports"].append(str(ROOT / "tests" / "own" / "until_learnt.py"))
    document["callbacks"].append({"until_learnt": {"monitor": metric, "bound": bound, "falls": metric in FALLS}})
    until = folder / path.name
    until.write_text(json.dumps(document))  # JSON is YAML
    return load_config(until)


SIX = ["-s", "fit.epochs=6"]  # of 30


@pytest.mark.slow
def test_the_main_job_learns_from_the_command_line(tmp_path):
    done = seqtrain_from_scratch("fit", CONFIGS / "digits.yaml", *SIX, "--run-dir", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert_learnt("digits", tmp_path / "run")


def each(paths):
    return [pytest.param(path, marks=pytest.mark.long if path.stem in LONG else (), id=path.stem) for path in paths]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize("path", each(path for path in ALL if path.stem != "digits"))
def test_a_config_learns(path, tmp_path):
    # In this process, which has TensorFlow already: the command line itself has tests of its own.
    outcome = fit(
        until_learnt(path, tmp_path), FitOptions(tmp_path / "run", "never", "none", ["seqtrain", "fit", str(path)])
    )
    assert outcome.exit_code == 0
    assert_learnt(path.stem, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize("name", ["arrays_channels_first", "volume_patches", "volume_classification"])
def test_what_learns_for_long_takes_a_step(name):
    outcome = dry_run(load_config(CONFIGS / f"{name}.yaml"), FitOptions(None, "never", "none", ["seqtrain"]))
    assert LEARNS[name][0].removeprefix("val_") in {log.removeprefix("val_") for log in outcome.result["metrics"]}


@pytest.mark.parametrize("name", LONG)
def test_what_learns_for_long_has_batches(name):
    data = open_data(load_config(CONFIGS / f"{name}.yaml", ["cache=null"]))
    for sequence in (data.train, data.val):
        for _, x in named_leaves(sequence.batch(0, 0)[:1]):
            assert len(x) == data.config.batch_size
            assert x.any()


def test_the_recommender_must_beat_the_mean_rating_of_the_training_part():
    data = open_data(load_config(CONFIGS / "ratings.yaml"))
    labels = data.source.labels
    mean = labels[data.split.train].mean()
    baseline = float(((labels[data.split.val] - mean) ** 2).mean())
    assert LEARNS["ratings"][1] < 0.75 * baseline


def batches(sequence):
    return [sequence.batch(0, position) for position in range(len(sequence))]


def test_autoencoders_must_beat_the_mean_digit_and_a_denoiser_its_own_input():
    data = open_data(load_config(CONFIGS / "denoising.yaml"))
    training = np.concatenate([y for _, y in batches(data.train)]).astype(np.float64)
    noisy, clean = (np.concatenate(part).astype(np.float64) for part in zip(*batches(data.val), strict=True))
    mean = training.mean(axis=0)
    error_of_mean = ((clean - mean) ** 2).mean()
    assert LEARNS["autoencoder"][1] < 0.25 * error_of_mean
    assert LEARNS["denoising"][1] < 0.4 * min(error_of_mean, ((noisy / 255 - clean) ** 2).mean())
    mean = mean.clip(1e-7, 1 - 1e-7)
    cross_entropy = -(clean * np.log(mean) + (1 - clean) * np.log(1 - mean)).sum(axis=(1, 2, 3)).mean()
    assert LEARNS["vae"][1] < 0.9 * cross_entropy


def test_the_forecaster_must_beat_the_last_value_and_the_same_hours_of_the_day_before():
    data = open_data(load_config(CONFIGS / "series.yaml"))
    x, y = (np.concatenate(part) for part in zip(*batches(data.val), strict=True))
    assert LEARNS["series"][1] < 0.3 * np.abs(y - x[:, -1:, :1]).mean()
    assert LEARNS["series"][1] < 0.8 * np.abs(y - x[:, -24 : -24 + y.shape[1], :1]).mean()


def test_the_model_of_tables_must_beat_the_mean_price_and_the_shares_of_the_heatings():
    data = open_data(load_config(CONFIGS / "table.yaml"))
    targets = [y for _, y in batches(data.val)]
    price, heating = (np.concatenate([y[name] for y in targets]) for name in ("price", "heating"))
    shares = np.bincount(data.source.labels[data.split.train]) / len(data.split.train)
    assert LEARNS["table"][1] < 0.2 * ((price**2).mean() - 0.5 * np.log(shares[heating]).mean())
