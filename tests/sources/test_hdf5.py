"""HDF5 files, against h5py itself, which reads them in its own way."""

import pickle
import threading
import tracemalloc
import zlib

import h5py
import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.sequences.arrays import ArraySequence
from seqtrain.sources.hdf5 import Hdf5
from seqtrain.sources.hdf5_file import open_array
from tests.sequences.building import build

X = np.random.default_rng(5).integers(0, 255, (50, 6, 4), dtype=np.uint8)
Y = np.arange(50) % 3

LAYOUTS = {
    "contiguous": {},
    "large rows": {"x": np.random.default_rng(5).random((50, 40, 40))},
    "gzip": {"chunks": (7, 6, 4), "compression": "gzip"},
    "shuffle and gzip": {
        "x": np.random.default_rng(5).integers(0, 9000, (50, 6, 4)),
        "chunks": (7, 4, 3),  # neither axis is a multiple
        "compression": "gzip",
        "shuffle": True,
    },
    "lzf": {"chunks": (7, 6, 4), "compression": "lzf"},
    "plain chunks": {"chunks": (7, 5, 4)},
    "big-endian": {"x": X.astype(">u2"), "chunks": (7, 6, 4), "compression": "gzip", "shuffle": True},
}


def written(folder, x=X, y=Y, user_block=0, **options):
    with h5py.File(folder / "data.h5", "w", userblock_size=user_block) as file:
        file.create_dataset("set/images", data=x, **options)
        file.create_dataset("labels", data=y)
    return folder / "data.h5"


@pytest.mark.parametrize("y", [Y, Y[:, None]], ids=["row", "column"])
def test_labels_may_be_compressed_in_chunks(tmp_path, y):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = X
        file.create_dataset("y", data=y, chunks=(7, 1)[: y.ndim], compression="gzip")
    source = Hdf5(tmp_path / "data.h5")
    assert source.labels.tolist() == Y.tolist()
    rows = {"y": np.empty(3, np.int64)}
    source.read_rows(np.array([49, 2, 7]), rows)
    assert rows["y"].tolist() == Y[[49, 2, 7]].tolist()
    assert (source.fields["y"].shape, int(source[5]["y"])) == ((), Y[5])


def test_a_data_set_that_lies_in_the_header_is_read(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = X
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_layout(h5py.h5d.COMPACT)
        h5py.h5d.create(file.id, b"y", h5py.h5t.NATIVE_INT64, h5py.h5s.create_simple(Y.shape), created).write(
            h5py.h5s.ALL, h5py.h5s.ALL, Y
        )
    assert Hdf5(tmp_path / "data.h5").labels.tolist() == Y.tolist()


def test_a_soft_link_leads_on_from_its_own_group(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["set/images"], file["y"] = X, Y
        file["set/x"], file["x"] = h5py.SoftLink("images"), h5py.SoftLink("/set/x")
    assert np.array_equal(Hdf5(tmp_path / "data.h5")[7]["x"], X[7])


def opened(path, **arguments):
    return Hdf5(path, "set/images", "labels", **arguments)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_those_that_h5py_reads(tmp_path, layout):
    options = dict(LAYOUTS[layout])
    path = written(tmp_path, **options)
    source = opened(path, chunks_together=2)
    with h5py.File(path) as file:
        expected = file["set/images"][:]
    indices = np.array([49, 3, 3, 17, 0, 48])
    rows = {"x": np.empty((6, *expected.shape[1:]), expected.dtype), "y": np.empty(6, np.int64)}
    source.read_rows(indices, rows)
    assert np.array_equal(rows["x"], expected[indices])
    assert rows["y"].tolist() == [49 % 3, 0, 0, 17 % 3, 0, 0]
    assert np.array_equal(source[48]["x"], expected[48])
    assert source.labels.tolist() == Y.tolist()
    assert source.classes == ("0", "1", "2")
    assert source.describe(4) == f"{path}[set/images][4]"


def test_a_data_set_in_one_piece_is_found_behind_a_user_block(tmp_path):
    source = opened(written(tmp_path, user_block=512))
    assert np.array_equal(source[7]["x"], X[7])


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        images = file.create_dataset("set/images", (20, 4), "u1", chunks=(5, 4), fillvalue=9, compression="gzip")
        images[0:5] = 1
        file["labels"] = np.zeros(20, int)
    source = opened(tmp_path / "data.h5")
    assert [int(source[index]["x"][0]) for index in (0, 4, 5, 19)] == [1, 1, 9, 9]


def test_a_few_rows_cost_no_memory_for_all_rows(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file.create_dataset("x", (20_000_000, 2), np.uint8, chunks=(64, 2))  # nothing is written
        file.create_dataset("y", (20_000_000,), np.uint8, chunks=(1 << 20,))
    rows = open_array(tmp_path / "data.h5", "x", 32).map()
    rows[0]  # opens the file
    tracemalloc.start()
    assert rows[np.array([19_999_999, 5])].shape == rows[5:7].shape == (2, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    with pytest.raises(IndexError):
        rows[20_000_000]


def test_an_epoch_follows_the_chunks_and_is_exactly_once(tmp_path, monkeypatch):
    read = []
    decompress = zlib.decompress
    monkeypatch.setattr(zlib, "decompress", lambda chunk, **size: read.append(chunk) or decompress(chunk, **size))
    source = opened(written(tmp_path, chunks=(5, 6, 4), compression="gzip"), chunks_together=2)
    sequence = build(ArraySequence, source, np.arange(50), 4, seed=3, training=True)
    for epoch in (0, 1):
        read.clear()
        seen = []
        for position in range(len(sequence)):
            x, _ = sequence.batch(epoch, position)
            indices = sequence.sample_indices(epoch, position)
            assert np.array_equal(x[..., 0], X[indices])
            seen += indices.tolist()
        assert sorted(seen) == list(range(50))
        assert len(read) == len(set(read))  # no chunk twice
        assert epoch or len(read) == 10
    orders = [np.concatenate([sequence.sample_indices(e, p) for p in range(13)]) for e in (0, 1, 0)]
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[0], orders[2])
    first = orders[0][:10] // 5
    assert len(set(first)) == 2 and (np.diff(first) != 0).sum() > 1  # two chunks, mixed


def test_any_row_may_come_at_any_time_on_request(tmp_path):
    source = opened(written(tmp_path, chunks=(5, 6, 4)), order="rows")
    sequence = build(ArraySequence, source, np.arange(50), 10, seed=3, training=True)
    assert len(set(sequence.sample_indices(0, 0) // 5)) > 3


def test_threads_that_want_one_chunk_decompress_it_once_and_agree(tmp_path, monkeypatch):
    read = []
    decompress = zlib.decompress
    monkeypatch.setattr(zlib, "decompress", lambda chunk, **size: read.append(chunk) or decompress(chunk, **size))
    source = opened(written(tmp_path, chunks=(50, 6, 4), compression="gzip"))
    results = [None] * 8
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        results[number] = source[number]["x"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, X[number]) for number, result in enumerate(results))
    assert len(read) == 1


def test_it_pickles_without_what_it_has_open(tmp_path):
    source = opened(written(tmp_path, chunks=(7, 6, 4), compression="gzip"))
    before = source[3]["x"]
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again[3]["x"], before)
    assert len(pickle.dumps(source)) < 2000


def test_groups_are_a_data_set_too(tmp_path):
    path = written(tmp_path)
    with h5py.File(path, "a") as file:
        file["patients"] = Y // 2
    assert opened(path, groups="patients").groups.tolist() == (Y // 2).tolist()


def test_links_and_data_in_other_files_are_refused(tmp_path):
    other = written(tmp_path)
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["x"] = h5py.ExternalLink(other.name, "/set/images")
        file["soft"] = h5py.SoftLink("/x")
        file["group"] = h5py.ExternalLink(other.name, "/set")
        file.create_dataset("outside", (4,), "u1", external=[(str(tmp_path / "raw"), 0, 4)])
        layout = h5py.VirtualLayout((50, 6, 4), "u1")
        layout[:] = h5py.VirtualSource(str(other), "set/images", (50, 6, 4))
        file.create_virtual_dataset("virtual", layout)
        file["y"] = Y
    for key in ("x", "soft", "group/images"):
        with pytest.raises(DataError, match="a link into another file, which is not followed"):
            Hdf5(tmp_path / "links.h5", x=key)
    for key in ("outside", "virtual"):
        with pytest.raises(DataError, match="keeps its values in other files"):
            Hdf5(tmp_path / "links.h5", x=key)


def test_a_soft_link_within_the_file_is_followed(tmp_path):
    path = written(tmp_path)
    with h5py.File(path, "a") as file:
        file["x"] = h5py.SoftLink("/set/images")
    assert np.array_equal(Hdf5(path, "x", "labels")[2]["x"], X[2])


def test_what_cannot_be_used_is_named(tmp_path):
    path = written(tmp_path)
    with pytest.raises(DataError, match=r"no data set 'labls'(?s:.*)did you mean 'labels'"):
        Hdf5(path, "set/images", "labls")
    with pytest.raises(DataError, match="'set' is a group"):
        Hdf5(path, "set", "labels")
    with h5py.File(path, "a") as file:
        file["short"] = np.zeros(7, int)
        file["text"] = np.array([b"a"] * 50)
        file["number"] = 3
    with pytest.raises(DataError, match="has another length than the samples"):
        Hdf5(path, "set/images", "short")
    with pytest.raises(DataError, match="holds no numbers"):
        Hdf5(path, "text", "labels")
    with pytest.raises(DataError, match="has no rows"):
        Hdf5(path, "number", "labels")
    (tmp_path / "no.h5").write_bytes(b"not HDF5 at all")
    with pytest.raises(DataError, match="is no HDF5 file, or a damaged one"):
        Hdf5(tmp_path / "no.h5", "x", "y")


def test_a_damaged_chunk_is_named_when_it_is_read(tmp_path):
    path = written(tmp_path, chunks=(10, 6, 4), compression="gzip")
    with h5py.File(path) as file:
        place = file["set/images"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[place.byte_offset : place.byte_offset + place.size] = b"\0" * place.size
    path.write_bytes(content)
    source = opened(path)
    assert np.array_equal(source[5]["x"], X[5])
    with pytest.raises(DataError, match=r"a part of the data set cannot be read(?s:.*)rows from 20"):
        source[25]


@pytest.mark.parametrize(("together", "told"), [(16, True), (4, False)])
def test_chunks_that_take_much_memory_are_told_of(tmp_path, caplog, together, told):
    with h5py.File(tmp_path / "data.h5", "w") as file:  # 8 rows of 8 MB in a chunk, however small the chunk is
        file.create_dataset("x", (1000, 1024, 1024), np.int64, chunks=(8, 16, 16))
        file["y"] = np.zeros(1000)
    Hdf5(tmp_path / "data.h5", chunks_together=together)
    assert ("'x' that are kept take up to 2.1 GB in each process" in caplog.text) is told


def test_one_chunk_at_least_is_kept(tmp_path):
    with pytest.raises(ConfigError):
        from seqtrain.config import load_config

        path = written(tmp_path)
        (tmp_path / "c.yaml").write_text(
            f"source: {{name: hdf5, path: {path}, x: set/images, y: labels, chunks_together: 0}}\n"
            "sequence: arrays\nmodel: cnn\ncompile: {loss: mse}\n"
        )
        load_config(tmp_path / "c.yaml")


def test_chunks_are_read_under_the_lock_of_h5py(tmp_path, monkeypatch):
    """Where a thread reads a chunk while another saves weights, HDF5 fails or crashes."""
    source = Hdf5(written(tmp_path, chunks=(7, 6, 4), compression="gzip"), "set/images", "labels")
    was_free = []

    class Spy:
        chunks = (7, 6, 4)

        def __init__(self, dataset):
            self.get_create_plist = dataset.id.get_create_plist
            self.get_chunk_info_by_coord = dataset.id.get_chunk_info_by_coord
            self.read, self.id = dataset.id.read_direct_chunk, self

        def read_direct_chunk(self, corner):
            other = threading.Thread(target=lambda: was_free.append(h5py._objects.phil.acquire(blocking=False)))
            other.start()
            other.join()
            return self.read(corner)

    class SpiedFile(h5py.File):
        def __getitem__(self, name):
            return Spy(super().__getitem__(name))

    monkeypatch.setattr(h5py, "File", SpiedFile)
    rows = {"x": np.empty((1, 6, 4), np.uint8)}
    source.read_rows(np.array([3]), rows)
    assert rows["x"][0].tolist() == X[3].tolist()
    assert was_free == [False]
