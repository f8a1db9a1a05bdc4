import logging
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.sources.pair_manifest import PairManifestSource, connected

PAIRS = Path(__file__).parents[2] / "data_samples" / "glyphs" / "pairs.csv"
HEADER = "path_a,path_b,label\n"


@pytest.fixture
def folder(tmp_path):
    for name in "abcdef":
        Image.new("L", (2, 2)).save(tmp_path / f"{name}.png")
    return tmp_path


def write(folder, rows, header=HEADER):
    (folder / "pairs.csv").write_text(header + "".join(f"{row}\n" for row in rows))
    return folder / "pairs.csv"


def test_the_sample_pairs_are_balanced_and_within_their_alphabets():
    source = PairManifestSource(PAIRS)
    assert np.bincount(source.labels).tolist() == [300, 300]
    assert np.bincount(source.column("alphabet").astype(int)).tolist() == [60] * 10
    sample = source[1]
    assert sample["label"] == (Path(sample["path_a"]).parent == Path(sample["path_b"]).parent) == 1


def test_rows_are_read_as_written(folder):
    source = PairManifestSource(write(folder, ["a.png,b.png,1", "c.png,a.png,different", "b.png,b.png,Same"]))
    assert source.labels.tolist() == [1, 0, 1]
    assert source[1] == {"path_a": str(folder / "c.png"), "path_b": str(folder / "a.png"), "label": 0}
    assert source.describe(1) == f"{folder / 'pairs.csv'}:3"
    assert pickle.loads(pickle.dumps(source))[1] == source[1]


def test_columns_are_chosen_by_name_and_paths_start_at_root(folder, tmp_path_factory):
    manifest = write(tmp_path_factory.mktemp("tables"), ["ann,a.png,b.png,0"], "who,left,right,match\n")
    names = {"path_a_column": "left", "path_b_column": "right", "label_column": "match"}
    source = PairManifestSource(manifest, **names, root=folder)
    assert source[0]["path_b"] == str(folder / "b.png")
    assert source.column("who").tolist() == ["ann"]


def test_pairs_with_a_common_image_are_of_one_group(folder):
    rows = ["a.png,b.png,1", "c.png,d.png,0", "e.png,b.png,0", "f.png,f.png,1", "d.png,c.png,1"]
    assert PairManifestSource(write(folder, rows)).groups.tolist() == [0, 2, 0, 5, 2]


def test_connections_through_long_chains_are_found():
    generator = np.random.default_rng(5)
    order = generator.permutation(1000)
    chains = np.concatenate([np.column_stack([part[:-1], part[1:]]) for part in (order[:400], order[400:])])
    expected = np.repeat([order[:400].min(), order[400:].min()], [399, 599])
    shuffled = generator.permutation(len(chains))
    assert np.array_equal(connected(chains[shuffled]), expected[shuffled])


def test_training_pairs_that_share_an_image_with_validation_are_left_out_and_counted(folder, caplog):
    rows = ["a.png,b.png,1", "c.png,d.png,0", "e.png,b.png,0", "f.png,c.png,1"]
    source = PairManifestSource(write(folder, rows))
    with caplog.at_level(logging.WARNING, "seqtrain"):
        assert source.drop_leaking(np.array([0, 1, 3]), np.array([2])).tolist() == [1, 3]
    assert "1 of 3 training pairs share an image" in caplog.text
    caplog.clear()
    assert source.drop_leaking(np.array([1, 3]), np.array([0, 2])).tolist() == [1, 3]
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,z.png,1", r"pairs.csv:3  no such image file\n  received '.*/z.png'\n  fix: correct the path"),
        (",a.png,1", r"pairs.csv:3  the path names no file"),
        ("a.png,b.png,2", r"pairs.csv:3  the label says neither\n  expected 0, 1, different or same\n  received 2\n"),
        ("a.png,b.png", r"pairs.csv:3  the row does not have one cell for each column"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line(folder, row, message):
    with pytest.raises(DataError, match=message):
        PairManifestSource(write(folder, ["a.png,b.png,0", row]))


def test_one_long_path_does_not_make_every_pair_long(folder):
    deep = folder.joinpath(*["d" * 200] * 4)
    deep.mkdir(parents=True)
    Image.new("L", (2, 2)).save(deep / "a.png")
    manifest = write(folder, [*["a.png,b.png,1"] * 20_000, f"{deep / 'a.png'},b.png,0"])
    tracemalloc.start()
    source = PairManifestSource(manifest)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(source) == 20_001
    assert peak < 20_000 * 600
