"""The cache gives the pixels that decoding would give, whatever happened to it before."""

import errno
import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError
from seqtrain.loading.order import training_schedule
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences import image, image_readers
from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.sequences.cache import open_caches
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.keras_style import KerasStyleSequence
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.image_manifest import ImageManifestSource
from tests.conftest import CONFIGS, DATA
from tests.sequences.building import build

NUM_FILES = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve small pictures of noise in two classes, PNG so that pixels are known."""
    random = np.random.default_rng(0)
    for number in range(NUM_FILES):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (9, 11, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The paths that are decoded, as it happens."""
    paths: list[str] = []
    read_image = image_readers.read_image

    def noting(path, *arguments):
        paths.append(path)
        return read_image(path, *arguments)

    monkeypatch.setattr(image_readers, "read_image", noting)
    return paths


def pictures(folder: Path, cache: Path | None = None, kind=ImageSequence, **options):
    source = options.pop("source", None) or ImageFolderSource(folder)
    arguments = {"batch_size": 5, "seed": 3, "training": True, "image_size": (9, 11), **options}
    sequence = build(kind, source, np.arange(len(source)), **arguments)
    if cache is not None:
        open_caches(cache, "image", [sequence])
    return sequence


def epoch(sequence, number: int = 0) -> list[np.ndarray]:
    return [array for position in range(len(sequence)) for array in sequence.batch(number, position)]


def assert_equal(batches: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for batch, right in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(batch, right)


def records(cache: Path) -> Path:
    (path,) = cache.glob("*/records")
    return path


def num_kept(cache: Path, num_files: int) -> int:
    return np.count_nonzero(np.frombuffer(records(cache).read_bytes(), np.uint64, num_files))


ALL = {"rotation": 20, "shift": 0.2, "horizontal_flip": 0.5, "brightness": 0.2, "contrast": 0.2}
KINDS = [
    (ImageSequence, {}),
    (ImageSequence, {"color": "gray", "labels": "one_hot"}),
    (ImageSequence, {"data_format": "channels_first", "image_size": (3, 3)}),
    (ImageSequence, {"data_format": "channels_first", "color": "gray"}),
    (ImageSequence, {"image_size": (7, 5), "resize": "crop"}),  # 105 bytes: no whole number of words
    (AugmentedImageSequence, ALL),
    (AugmentedImageSequence, {**ALL, "random_crop": 0.7, "data_format": "channels_first"}),
    (AugmentedImageSequence, {**ALL, "random_crop": 0.7, "training": False}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_batches_are_the_same_byte_for_byte_with_and_without_a_cache(kind, options, folder, tmp_path):
    sequence = pictures(folder, tmp_path / "cache", kind, **options)
    for number in range(3):
        assert_equal(epoch(sequence, number), epoch(pictures(folder, kind=kind, **options), number))


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_file_is_decoded_once_in_all_epochs_and_runs(kind, options, folder, tmp_path, decoded):
    for _ in range(2):
        sequence = pictures(folder, tmp_path / "cache", kind, **options)
        for number in range(3):
            epoch(sequence, number)
    assert sorted(decoded) == sorted(map(str, folder.rglob("*.png")))


def test_an_interrupted_cache_goes_on_where_it_ended(folder, tmp_path, decoded):
    pictures(folder, tmp_path / "cache", training=False).batch(0, 1)
    assert len(decoded) == 5
    batches = epoch(pictures(folder, tmp_path / "cache"))
    assert len(decoded) == NUM_FILES
    assert_equal(batches, epoch(pictures(folder)))


def test_a_file_that_was_changed_is_decoded_again(folder, tmp_path, decoded):
    epoch(pictures(folder, tmp_path / "cache"))
    changed = folder / "a" / "04.png"
    Image.new("RGB", (11, 9), (1, 2, 3)).save(changed)
    os.utime(folder / "b" / "07.png", ns=(0, 0))  # another time of change, with the same size
    decoded.clear()
    batches = epoch(pictures(folder, tmp_path / "cache"))
    assert sorted(decoded) == [str(changed), str(folder / "b" / "07.png")]
    assert_equal(batches, epoch(pictures(folder)))


def test_a_file_that_is_gone_or_damaged_is_an_error_and_never_kept(folder, tmp_path):
    epoch(pictures(folder, tmp_path / "cache"))
    (folder / "a" / "00.png").write_bytes(b"no picture")
    sequence = pictures(folder, tmp_path / "cache", training=False)
    (folder / "b" / "01.png").unlink()
    for _ in range(2):
        with pytest.raises(DataError, match=r"a/00\.png  the file is not an image"):
            sequence[0]
        with pytest.raises(DataError, match=r"b/01\.png  no such image file"):
            sequence[1]


def test_damaged_pixels_and_seals_are_never_used_and_are_mended(folder, tmp_path, decoded):
    epoch(pictures(folder, tmp_path / "cache"))
    path = records(tmp_path / "cache")
    size = 9 * 11 * 3
    content = bytearray(path.read_bytes())
    content[0] ^= 1  # the first seal
    content[-5 * size : -4 * size] = bytes(size)  # a picture whose pages never reached the disk
    content[-1] ^= 1  # a bit of the last picture
    path.write_bytes(content)
    for expected in (3, 0):
        decoded.clear()
        batches = epoch(pictures(folder, tmp_path / "cache"))
        assert len(decoded) == expected
        assert_equal(batches, epoch(pictures(folder)))


def test_seals_in_another_byte_order_are_no_seals(folder, tmp_path, decoded):
    epoch(pictures(folder, tmp_path / "cache"))
    path = records(tmp_path / "cache")
    content = path.read_bytes()
    seals = np.frombuffer(content, np.uint64, NUM_FILES).byteswap()
    path.write_bytes(seals.tobytes() + content[8 * NUM_FILES :])
    decoded.clear()
    assert_equal(epoch(pictures(folder, tmp_path / "cache")), epoch(pictures(folder)))
    assert len(decoded) == 2 * NUM_FILES  # with the cache, and without
    assert json.loads((path.parent / "about.json").read_text())["byte_order"] == sys.byteorder


@pytest.mark.parametrize("length", [0, 50, 4096, 4100])
def test_a_file_that_was_cut_off_is_made_anew(length, folder, tmp_path, decoded):
    epoch(pictures(folder, tmp_path / "cache"))
    os.truncate(records(tmp_path / "cache"), length)
    for expected in (NUM_FILES, 0):
        decoded.clear()
        batches = epoch(pictures(folder, tmp_path / "cache"))
        assert len(decoded) == expected
        assert_equal(batches, epoch(pictures(folder)))


def test_a_file_that_is_cut_off_or_removed_in_the_course_of_a_run_costs_the_cache_alone(folder, tmp_path):
    sequence = pictures(folder, tmp_path / "cache")
    expected = epoch(pictures(folder))
    epoch(sequence)
    os.truncate(records(tmp_path / "cache"), 0)
    assert_equal(epoch(sequence), expected)
    shutil.rmtree(tmp_path / "cache")
    assert_equal(epoch(sequence), expected)
    assert_equal(epoch(pickle.loads(pickle.dumps(sequence))), expected)  # as in a worker that starts now


def folders_of(folder: Path, cache: Path, kind=AugmentedImageSequence, **options) -> set[str]:
    before = set(cache.glob("*")) if cache.exists() else set()
    pictures(folder, cache, kind, **options)
    return set(cache.glob("*")) - before


@pytest.mark.parametrize(
    "options", [{"image_size": (9, 12)}, {"color": "gray"}, {"resize": "pad"}, {"random_crop": 0.8}, {"files": 1}]
)
def test_what_shapes_the_pixels_or_the_list_of_files_makes_another_cache(options, folder, tmp_path):
    assert len(folders_of(folder, tmp_path / "cache")) == 1
    if options.pop("files", None):
        Image.new("L", (3, 3)).save(folder / "a" / "new.png")
    assert len(folders_of(folder, tmp_path / "cache", **options)) == 1


@pytest.mark.parametrize(
    "options", [{"rotation": 9}, {"training": False}, {"data_format": "channels_first"}, {"labels": "one_hot"}]
)
def test_what_leaves_the_pixels_as_they_are_shares_a_cache(options, folder, tmp_path):
    assert len(folders_of(folder, tmp_path / "cache")) == 1
    assert not folders_of(folder, tmp_path / "cache", **options)
    assert not folders_of(folder, tmp_path / "cache", ImageSequence)


def test_other_decoders_make_another_cache(folder, tmp_path, monkeypatch):
    assert len(folders_of(folder, tmp_path / "cache")) == 1
    monkeypatch.setitem(image.DECODERS, "ours", image.DECODERS["ours"] + 1)
    assert len(folders_of(folder, tmp_path / "cache")) == 1


def test_a_file_that_is_listed_twice_is_kept_once(folder, tmp_path, decoded):
    (folder / "list.csv").write_text("path,label\na/00.png,x\nb/01.png,y\na/00.png,y\n")
    sequence = pictures(folder, tmp_path / "cache", source=ImageManifestSource(folder / "list.csv"))
    epoch(sequence)
    assert len(decoded) == 2


class Inverted(ImageSequence):
    """A class of the user's that changes what was read."""

    def paint(self, path, generator, picture):
        super().paint(path, generator, picture)
        picture[...] = 255 - picture


def test_a_class_that_changes_the_pixels_changes_those_of_the_cache_too(folder, tmp_path):
    expected = [255 - array if array.ndim == 4 else array for array in epoch(pictures(folder))]
    sequence = pictures(folder, tmp_path / "cache", Inverted)
    for _ in range(2):
        assert_equal(epoch(sequence), expected)


@pytest.mark.parametrize("processes", [False, True])
def test_workers_fill_and_read_one_cache(processes, folder, tmp_path):
    options = {"kind": AugmentedImageSequence, **ALL}
    sequence, plain = pictures(folder, tmp_path / "cache", **options), pictures(folder, **options)
    with BatchStream(sequence, training_schedule(len(sequence)), WorkerOptions(2, processes)) as stream:
        for position in range(3 * len(sequence)):
            assert_equal(stream.take(position).batch, plain.batch(*divmod(position, len(sequence))))
    assert num_kept(tmp_path / "cache", NUM_FILES) == NUM_FILES


PROGRAM = f"""
import hashlib, logging, os, pathlib, resource, sys
import numpy as np
from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.base import Samples
from seqtrain.sequences.cache import open_caches
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sources.image_folder import ImageFolderSource

cache, processes, largest_file = sys.argv[1], sys.argv[2] == "processes", int(sys.argv[3])
source = ImageFolderSource(pathlib.Path({str(DATA / "digits")!r}))
sequence = ImageSequence(Samples(source, np.arange(1000), 50, 3, True), ImageFormat((64, 64), "gray"))
if cache:
    open_caches(pathlib.Path(cache), "image", [sequence])
if largest_file:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
digest = hashlib.sha256()
with BatchStream(sequence, training_schedule(20), WorkerOptions(2, processes)) as stream:
    for position in range(40):
        for array in stream.take(position).batch:
            digest.update(array)
print(digest.hexdigest())
"""


def start(cache: Path | str, workers: str = "threads", largest_file: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(cache), workers, str(largest_file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def plain():
    """The digest of the pictures that a run without a cache gives."""
    digest, told = start("").communicate()
    assert (len(digest), told) == (65, "")
    return digest


def test_two_runs_fill_one_cache_at_once(tmp_path, plain):
    runs = [start(tmp_path / "cache"), start(tmp_path / "cache", "processes")]
    assert [run.communicate() for run in runs] == [(plain, ""), (plain, "")]


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_on_a_full_disk_the_run_goes_on_with_one_warning(workers, tmp_path, plain):
    full = start(tmp_path / "cache", workers, 3_900_000)  # 50 of 1000 find no room
    digest, told = full.communicate()
    assert digest == plain
    assert full.returncode == 0
    (line,) = told.splitlines()
    assert line.endswith("takes no more pictures: File too large; the run goes on and decodes what is not kept")
    assert num_kept(tmp_path / "cache", 1000) < 1000


def test_a_disk_that_is_full_from_the_start_is_a_warning(folder, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "ftruncate", full)
    with caplog.at_level(logging.WARNING):
        sequence = pictures(folder, tmp_path / "cache")
        assert_equal(epoch(sequence) + epoch(sequence), 2 * epoch(pictures(folder)))
    assert [record.message.partition(": ")[2].partition(";")[0] for record in caplog.records] == [
        "No space left on device"
    ]


def test_a_cache_that_may_only_be_read_is_read(folder, tmp_path, monkeypatch, decoded, caplog):
    pictures(folder, tmp_path / "cache", training=False).batch(0, 0)
    opens = os.open

    def refusing(path, flags, *mode):
        if Path(path).name == "records" and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opens(path, flags, *mode)

    monkeypatch.setattr(os, "open", refusing)
    assert_equal(epoch(pictures(folder, tmp_path / "cache")), epoch(pictures(folder)))
    assert len(decoded) == 2 * NUM_FILES  # five to prepare, seven that were missing, twelve without a cache
    assert [record.message.partition(": ")[2].partition(";")[0] for record in caplog.records] == ["it may only be read"]


def test_a_folder_that_cannot_be_made_is_a_mistake_in_the_config(folder, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ConfigError, match=r"cache\.path: the folder cannot be used: Not a directory"):
        pictures(folder, tmp_path / "cache")


def test_a_class_written_for_keras_cannot_be_cached(tmp_path):
    sequence = KerasStyleSequence([(np.zeros(1), np.zeros(1))], seed=0, training=True)
    message = r"'my_own' decodes nothing that could be kept\n  expected one of: .*image.*\n  fix: remove `cache`"
    with pytest.raises(ConfigError, match=message):
        open_caches(tmp_path, "my_own", [sequence])


@pytest.mark.parametrize("name", ["arrays", "ratings", "csv_pixels"])
def test_the_mistake_is_told_with_its_place_in_the_config(name, tmp_path):
    loaded = load_config(CONFIGS / f"{name}.yaml", [f"cache.path={tmp_path / 'cache'}"])
    with pytest.raises(ConfigError, match=r"^-s cache\.path=.*  cache: the sequence '\w+' decodes nothing"):
        open_data(loaded)
    assert not (tmp_path / "cache").exists()


def test_the_path_starts_from_the_folder_of_the_file_that_names_it(tmp_path):
    (tmp_path / "below").mkdir()
    text = f"extends: {CONFIGS / 'digits.yaml'}\ncache: {{path: ./kept}}\n"
    (tmp_path / "below" / "base.yaml").write_text(text)
    (tmp_path / "over.yaml").write_text("extends: below/base.yaml\n")
    cache = load_config(tmp_path / "over.yaml").config.cache
    assert (cache.path, cache.after) == (tmp_path / "below" / "kept", "decode")
    assert load_config(tmp_path / "over.yaml", ["cache=null"]).config.cache is None


def test_training_and_validation_share_a_cache_where_they_read_the_same_pixels(tmp_path):
    path = tmp_path / "cache"
    shared = open_data(load_config(CONFIGS / "digits.yaml", [f"cache.path={path}"]))
    assert shared.train.cache is shared.val.cache
    crop = open_data(load_config(CONFIGS / "digits.yaml", [f"cache.path={path}", "sequence.random_crop=0.8"]))
    assert (crop.train.cache.shape, crop.val.cache.shape) == ((40, 40), (32, 32))
    assert crop.val.cache.folder == shared.val.cache.folder
