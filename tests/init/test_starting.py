"""`seqtrain init`: what it writes is a config that `check` accepts and `fit` trains."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError
from seqtrain.init.kinds import KINDS, template
from seqtrain.init.listing import listing_of
from seqtrain.init.prompts import InitOptions
from seqtrain.init.recognise import recognise
from seqtrain.init.starting import Survey, run_init, write_config
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit
from tests.conftest import CONFIGS, DATA, seqtrain
from tests.init.places import found, picture, table

SUGGESTED = {
    "cells": "coco_masks",
    "csv_pixels": "csv_pixels",
    "digits": "image_folder",
    "flats": "table",
    "glyphs": "pair_manifest",
    "hdf5": "hdf5",
    "photos": "image_manifest",
    "power": "series",
    "ratings": "ratings",
    "shapes": "image_mask",
    "slices": "arrays",
    "volumes": "volume_patches",
}
OTHERS = {
    "cells": ["encoded_masks", "mask_folders"],
    "digits": ["siamese_pairs", "siamese_triplets", "autoencoder", "denoising", "vae"],
    "glyphs": ["siamese_pairs", "siamese_triplets", "image_folder", "autoencoder", "denoising", "vae"],
    "photos": ["autoencoder", "denoising", "vae"],
    "power": ["table"],
    "volumes": ["volume_slices", "volume_classification"],
}


def test_every_data_sample_is_tried_here():
    folders = {path.name for path in DATA.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders - {"backbone"} == set(SUGGESTED)


@pytest.mark.parametrize("name", SUGGESTED)
def test_a_data_sample_is_recognised_and_each_config_of_it_opens_its_data(name, tmp_path):
    detections = recognise(listing_of(DATA / name, tmp_path))
    assert [detection.kind for detection in detections] == [SUGGESTED[name], *OTHERS.get(name, [])]
    for detection in detections:
        config = tmp_path / f"{detection.kind}.yaml"
        options = InitOptions(task=detection.kind, takes_suggestions=True)
        result = write_config(Survey(DATA / name, detections), options, config, False, lambda text: None)
        # Written and tried: both sides of the split are there, and a first batch was made.
        assert min(result.data["samples"].values()) > 0
        assert load_config(config).config.source.name == yaml.safe_load(config.read_text())["source"]["name"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_right_once_its_paths_are_there(kind, tmp_path):
    config = tmp_path / "config.yaml"
    run_init(Path(), InitOptions(), kind, config, False, print)
    for path in _paths(yaml.safe_load(config.read_text())["source"]):
        (tmp_path / path).mkdir(parents=True) if "." not in path else _touch(tmp_path / path)
    assert load_config(config).config.source.name == template(kind).source["name"]


def _paths(source):
    return [value for value in source.values() if isinstance(value, str) and value.startswith("data/")]


def _touch(path):
    path.parent.mkdir(exist_ok=True)
    path.touch()


def test_there_is_a_template_for_the_source_sequence_and_model_of_every_shipped_config():
    configs = [yaml.safe_load(template(kind).to_yaml("a test")) for kind in KINDS]
    parts = {(config["source"]["name"], config["sequence"]["name"]) for config in configs}
    shipped = [load_config(path).config for path in CONFIGS.glob("*.yaml") if not path.stem.startswith("my_")]
    # Plain images are what augmented ones are without augmentation.
    of_configs = {(c.source.name, c.sequence.name.replace("augmented_image", "image")) for c in shipped}
    assert of_configs <= {(source, sequence.replace("augmented_image", "image")) for source, sequence in parts}
    assert {c.model.name for c in shipped} == {config["model"]["name"] for config in configs}


def test_the_command_writes_a_config_that_check_accepts_and_leaves_one_that_is_there(tmp_path):
    done = seqtrain("init", DATA / "digits", "--yes", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.json["kind"] == "image_folder" and done.json["samples"] == {"train": 800, "val": 200}
    assert done.json["batch"]["x"] == {"shape": [64, 64, 64, 1], "dtype": "uint8"}
    assert "1,000, 64x64, gray" in done.err and "siamese_pairs" in done.err
    assert seqtrain("check", "config.yaml", cwd=tmp_path).code == 0
    before = (tmp_path / "config.yaml").read_text()
    again = seqtrain("init", DATA / "flats", "--yes", cwd=tmp_path)
    assert again.code == 2 and "--force" in again.err and (tmp_path / "config.yaml").read_text() == before


def test_without_a_terminal_nothing_is_asked_and_nothing_written(tmp_path):
    with pytest.raises(ConfigError, match="--yes"):
        run_init(DATA / "photos", InitOptions(), None, tmp_path / "config.yaml", False, print)
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_kind_target_and_size_are_asked(tmp_path):
    person, terminal = pty.openpty()
    command = [sys.executable, "-m", "seqtrain", "init", str(DATA / "volumes"), "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        os.write(person, b"9\nvolume_slices\nsmall\n16x24\n")
        out, told = run.communicate(timeout=60)
    os.close(person), os.close(terminal)
    assert run.returncode == 0, told
    assert json.loads(out)["kind"] == "volume_slices" and json.loads(out)["image_size"] == [16, 24]
    assert b"a number from 1 to 3" in told and b"no size" in told
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["sequence"]["image_size"] == [16, 24]


def test_paths_in_the_config_start_where_the_config_is(tmp_path, monkeypatch):
    for number in range(6):
        picture(tmp_path / "data" / "ab"[number % 2] / f"{number}.png")
    (tmp_path / "configs").mkdir()
    monkeypatch.chdir(tmp_path)
    config = Path("configs/my own.yaml")
    result = run_init(Path("data"), InitOptions(takes_suggestions=True), None, config, False, print)
    assert "seqtrain fit 'configs/my own.yaml'" in result.text()
    assert yaml.safe_load(config.read_text())["source"]["path"] == "../data"


def test_data_that_cannot_be_used_is_told_beside_the_config(tmp_path, caplog):
    table(tmp_path / "t.csv", ["size", "weight", "price"], [[n, n % 7, "" if n == 30 else n * 1.5] for n in range(60)])
    with pytest.raises(DataError) as told:
        run_init(tmp_path, InitOptions(takes_suggestions=True), None, tmp_path / "config.yaml", False, print)
    assert [Path(mistake.where).name for mistake in told.value.mistakes] == ["t.csv:32"]
    assert "config.yaml is written, but its data cannot be used" in caplog.text
    assert (tmp_path / "config.yaml").exists()


def test_a_folder_of_nothing_known_is_told_with_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="1 of .txt"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (InitOptions(task="segmentation"), DataError, "does not look like segmentation"),
        (InitOptions(task="classificaton"), ConfigError, "did you mean 'classification'"),
        (InitOptions(target="labl"), ConfigError, "did you mean 'label'"),
        (InitOptions(image_size="0"), ConfigError, "no size"),
        (InitOptions(task="autoencoder", target="label"), ConfigError, "has none to choose"),
    ],
)
def test_a_wish_that_does_not_fit_is_refused(options, error, words, tmp_path):
    options = InitOptions(options.task, options.target, options.image_size, takes_suggestions=True)
    with pytest.raises(error, match=words):
        run_init(DATA / "photos", options, None, tmp_path / "config.yaml", False, print)


def test_a_comment_stands_above_every_part_of_a_config():
    lines = template("image_manifest").to_yaml("seqtrain init").splitlines()
    tops = [index for index, line in enumerate(lines) if line[:1].isalpha() and not line.startswith("version")]
    assert [lines[index].partition(":")[0] for index in tops] == [
        *("seed", "source", "split", "sequence", "batch_size", "model", "compile", "fit", "callbacks")
    ]
    assert all(lines[index - 1].startswith("# ") for index in tops)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize(
    ("name", "epochs", "metric", "bound"),
    [
        # Ten classes of equal size: chance is 0.10.
        pytest.param("csv_pixels", 6, "val_accuracy", 0.6, marks=pytest.mark.long),
        ("flats", 6, "val_mae", 0.4),  # in standard deviations; the mean price errs by 0.8
        # All background gives 0.28.
        pytest.param("shapes", 3, "val_mean_iou", 0.35, marks=pytest.mark.long),
    ],
)
def test_a_config_trains_as_it_is_written(name, epochs, metric, bound, tmp_path):
    run_init(DATA / name, InitOptions(takes_suggestions=True), None, tmp_path / "config.yaml", False, print)
    loaded = load_config(tmp_path / "config.yaml", [f"fit.epochs={epochs}"])
    outcome = fit(loaded, FitOptions(tmp_path / "run", "never", "none", ["seqtrain", "fit"]))
    best = outcome.result["best"]
    assert outcome.exit_code == 0 and best["monitor"] == metric
    assert best["value"] <= bound if metric == "val_mae" else best["value"] >= bound
