"""`seqtrain prepare`, and what the other commands make of a cache."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CONFIGS, seqtrain

CONFIG = CONFIGS / "cached_digits.yaml"


@pytest.fixture
def config(tmp_path):
    """Twenty pictures in two classes and a config that caches them."""
    random = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    text = """
source: {name: image_folder, path: images}
sequence: {name: augmented_image, image_size: [8, 8], color: gray, horizontal_flip: 0.5}
batch_size: 5
model: cnn
compile: {loss: sparse_categorical_crossentropy}
cache: {path: ./cache, after: decode}
"""
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path / "config.yaml"


def test_prepare_decodes_all_samples_once(config):
    first = seqtrain("prepare", config, "--json", cwd="/")
    assert first.code == 0, first.err
    assert (first.json["samples"], first.json["decoded"], first.json["kept_before"]) == (20, 20, 0)
    (folder,) = first.json["folders"]
    assert Path(folder).parent == config.parent / "cache"
    assert first.err == f"preparing 20 samples in {folder}\n"
    again = seqtrain("prepare", config)
    assert again.code == 0
    assert again.out.startswith("prepared 20 samples in ")
    assert "s: 0 decoded, 20 kept before" in again.out


def test_prepare_fills_the_caches_of_both_sides_where_they_differ(config):
    done = seqtrain("prepare", config, "-s", "sequence.random_crop=0.5", "--json")
    assert len(done.json["folders"]) == 2
    assert done.json["decoded"] == 20


def test_batches_are_the_same_with_a_cache_that_was_prepared(config):
    plain = seqtrain("inspect-batches", config, "--all", "-s", "cache=null", "--json", cwd=config.parent)
    assert not (config.parent / "cache").exists()
    assert seqtrain("prepare", config).code == 0
    cached = seqtrain("inspect-batches", config, "--all", "--json", cwd=config.parent)
    digests = [[batch["fields"]["x"]["sha256"] for batch in done.json["batches"]] for done in (plain, cached)]
    assert len(set(digests[0])) == 4
    assert digests[0] == digests[1]


def test_prepare_tells_all_damaged_images_and_keeps_the_others(config):
    for name in ("a/00.png", "b/07.png"):
        (config.parent / "images" / name).write_bytes(b"damage")
    done = seqtrain("prepare", config, "--json")
    assert done.code == 3
    assert "a/00.png" in done.err
    assert "b/07.png" in done.err
    for name in ("a/00.png", "b/07.png"):
        Image.new("L", (8, 8)).save(config.parent / "images" / name)
    assert seqtrain("prepare", config, "--json").json["decoded"] == 2


def test_prepare_passes_over_as_many_damaged_images_as_training_skips(config):
    for name in ("a/00.png", "b/07.png"):
        (config.parent / "images" / name).write_bytes(b"damage")
    skip = ("-s", "on_bad_sample={action: skip, max: 2}")
    done = seqtrain("prepare", config, *skip, "--json")
    assert done.code == 0, done.err
    assert [done.json[name] for name in ("samples", "decoded", "kept_before", "skipped")] == [20, 18, 0, 2]
    assert "a/00.png" in done.err
    assert "b/07.png" in done.err
    again = seqtrain("prepare", config, *skip)
    assert "s: 0 decoded, 18 kept before, 2 skipped that cannot be read; " in again.out


def test_prepare_ends_with_3_past_the_limit_of_what_training_skips(config):
    for number in range(20):  # all of them, so that both sides of the split are past it
        (config.parent / "images" / "ab"[number % 2] / f"{number:02}.png").write_bytes(b"damage")
    done = seqtrain("prepare", config, "-s", "on_bad_sample={action: skip, max: 2}", "--json")
    assert done.code == 3
    assert "samples cannot be read\n  expected at most 2, which on_bad_sample.max allows" in done.err


def test_a_config_without_a_cache_cannot_be_prepared():
    done = seqtrain("prepare", CONFIGS / "digits.yaml", "--json")
    assert (done.code, done.json["status"]) == (2, "failed")
    assert "digits.yaml  the config has no cache\n  fix: add `cache: {path: ./cache}`" in done.err


def test_a_sequence_that_cannot_be_cached_is_refused(tmp_path):
    done = seqtrain("prepare", CONFIGS / "arrays.yaml", "-s", f"cache.path={tmp_path}")
    assert done.code == 2
    assert "cache: the sequence 'arrays' decodes nothing that could be kept" in done.err


@pytest.mark.parametrize("largest_file", [0, 975_000])  # no room for anything, room for 950 of 1000
def test_prepare_on_a_full_disk_ends_with_6(largest_file, tmp_path):
    code = (
        "import resource, sys; from seqtrain.cli import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file}, {largest_file}))\n"
        f"sys.argv = ['seqtrain', 'prepare', {str(CONFIG)!r}, '-s', 'cache.path={tmp_path}/cache']\n"
        "main()"
    )
    if largest_file:  # the file itself is there, at its full length
        seqtrain("inspect-batches", CONFIG, "-s", f"cache.path={tmp_path}/cache", "-s", "batch_size=1", cwd=tmp_path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 6, done.stderr
    assert "the cache takes no more pictures: File too large\n  fix: free some space" in done.stderr


def test_prepare_goes_on_after_it_was_killed(tmp_path):
    command = [sys.executable, "-m", "seqtrain", "prepare", str(CONFIG), "-s", f"cache.path={tmp_path}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
        while run.poll() is None and not any(_seals(tmp_path)):
            time.sleep(0.001)
        os.kill(run.pid, signal.SIGKILL)
    kept = int(np.count_nonzero(_seals(tmp_path)))
    assert kept > 0
    done = seqtrain("prepare", CONFIG, "-s", f"cache.path={tmp_path}", "--json")
    assert done.json["kept_before"] == kept
    assert done.json["decoded"] == 1000 - kept


def _seals(cache):
    for records in cache.glob("*/records"):
        return np.frombuffer(records.read_bytes()[:8000], np.uint64)
    return np.zeros(0)


def test_prepare_does_not_import_keras(config):
    code = (
        "import sys; from seqtrain.cli import main\n"
        f"sys.argv = ['seqtrain', 'prepare', {str(config)!r}, '--json']\n"
        "try: main()\n"
        "finally: print([n for n in ('keras', 'tensorflow', 'jax') if n in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout)["status"] == "prepared"


@pytest.mark.long
def test_training_from_a_cache_ends_with_the_weights_of_training_without(config):
    options = ["-s", "fit.epochs=2", "--json"]
    cached = seqtrain("fit", config, *options, "--run-dir", config.parent / "cached")
    assert any((config.parent / "cache").iterdir())
    plain = seqtrain("fit", config, *options, "-s", "cache=null", "--run-dir", config.parent / "plain")
    assert cached.json["weights_sha256"] == plain.json["weights_sha256"]
