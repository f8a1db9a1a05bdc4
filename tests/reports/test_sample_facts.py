"""What workers note of samples in many calls less than samples, against NumPy sample by sample."""

import threading

import numpy as np
import pytest
import xxhash
from PIL import Image

from seqtrain.reports import file_facts
from seqtrain.reports.fields import Field
from seqtrain.reports.sample_facts import FactSequence, thumbnails
from seqtrain.reports.scratch import scratch
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.image_pairs import ImagePairSequence
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.pair_manifest import PairManifestSource
from seqtrain.structure import map_structure
from tests.sequences.building import build


def areas(picture: np.ndarray) -> np.ndarray:
    """The means of 8 x 9 areas, by way of a picture whose sides they divide."""
    rows, columns = picture.shape
    fine = picture.astype(float).repeat(8, axis=0).repeat(9, axis=1)
    return fine.reshape(8, rows, 9, columns).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [(8, 8), (3, 5), (28, 28), (64, 64), (100, 75), (224, 144), (1, 1), (33, 400)])
def test_thumbnails_are_the_means_of_areas(size):
    down, across = np.linspace(0, 6, size[0])[:, None], np.linspace(0, 8, size[1])
    pictures = np.stack([127 + 60 * np.sin(down + turn) + 60 * np.cos(across * turn) for turn in range(5)])
    pictures = pictures.astype(np.uint8)
    found = thumbnails(Field("x", pictures, "pixels", True), "channels_last")
    wanted = np.stack([areas(picture) for picture in pictures])
    assert found.shape == (5, 8, 9)
    assert np.abs(found - wanted).max() <= 3  # rounded at each halving


@pytest.mark.parametrize("num_channels", [1, 3, 4])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_colours_are_made_gray(num_channels, data_format):
    gray = np.random.default_rng(1).integers(0, 256, (4, 16, 18), np.uint8)
    axis = -1 if data_format == "channels_last" else 1
    pictures = np.stack([gray] * num_channels, axis=axis)
    found = thumbnails(Field("x", pictures, "pixels", True), data_format)
    np.testing.assert_array_equal(found, thumbnails(Field("x", gray, "pixels", True), data_format))


def test_each_picture_of_floats_is_spread_by_its_own_range_whatever_that_is():
    steps = np.tile(np.linspace(0, 1, 9, dtype=np.float32), (8, 1))
    lowest = np.full((8, 9), np.finfo(np.float32).min, np.float32)
    lowest[:, 4:] = np.finfo(np.float32).max
    pictures = np.stack(
        [steps, steps * 1e6 - 500, np.full((8, 9), 7, np.float32), lowest, np.where(steps > 0, steps, np.nan)]
    )
    found = thumbnails(Field("x", pictures, "pixels", True), "channels_last")
    wanted = (steps * 255).astype(np.uint8)
    for row in (0, 1, 4):
        assert np.abs(found[row].astype(int) - wanted).max() <= 1
    assert not found[2].any()
    assert found[3][:, :4].max() == 0 and found[3][:, 4:].min() >= 254


def facts_of(sequence):
    """The facts of all samples, made in one part."""
    facts = FactSequence(sequence)
    rows = map_structure(lambda field: field.empty(len(facts.indices)), facts.row_spec)
    facts.write(facts.indices, 0, rows)
    return facts, rows[0]


def save_pictures(folder, *names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(path)
    return folder


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif"])
def test_a_file_is_read_once_for_its_pixels_and_its_facts(tmp_path, monkeypatch, name):
    source = ImageFolderSource(save_pictures(tmp_path, f"cats/{name}", f"dogs/{name}"))
    monkeypatch.setattr(file_facts, "read_facts", None)
    facts, found = facts_of(build(ImageSequence, source, np.arange(2), 2, 1, False, image_size=(9, 9)))
    assert facts.file_fields == ("path",)
    wanted = [xxhash.xxh3_128_digest((tmp_path / kind / name).read_bytes()) for kind in ("cats", "dogs")]
    assert list(map(bytes, found["digest"])) == wanted


def test_pairs_are_copies_where_both_of_their_files_are(tmp_path):
    save_pictures(tmp_path, "a.png", "b.png", "c.png")
    rows = ["path_a,path_b,label", "a.png,b.png,0", "a.png,c.png,0", "a.png,b.png,1", "b.png,a.png,1", ""]
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    source = PairManifestSource(tmp_path / "pairs.csv")
    _, found = facts_of(build(ImagePairSequence, source, np.arange(4), 4, 1, False, image_size=(9, 9)))
    first, second, third, fourth = map(bytes, found["digest"])
    assert first == third
    assert len({first, second, fourth}) == 3


def test_threads_do_not_share_memory_and_each_uses_its_own_again():
    def twice():
        barrier.wait()
        one = scratch.empty("a use", (50,), np.uint8)
        arrays.append((one, scratch.empty("another use", (50,), np.uint8)))
        assert np.shares_memory(one, scratch.empty("a use", (40,), np.uint8))

    arrays, barrier = [], threading.Barrier(2)
    threads = [threading.Thread(target=twice) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one, other), (third, fourth) = arrays
    assert not any(np.shares_memory(one, array) for array in (other, third, fourth))
