from __future__ import annotations

import pickle
import random
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.sources.npy_files import NpyArray, npy_array, npz_array


def memory_map_under(array: np.ndarray) -> np.memmap:
    while not isinstance(array, np.memmap):
        assert array.base is not None, "the array owns its memory: it was loaded"
        array = array.base
    return array


@pytest.mark.parametrize("dtype", ["uint8", "<f8", ">f4", "bool", "int16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_is_mapped_with_the_values_that_numpy_saved(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.asarray(np.arange(24).reshape(4, 3, 2), dtype=dtype, order=order)
    np.save(tmp_path / "x.npy", values)
    mapped = npy_array(tmp_path / "x.npy").map()
    np.testing.assert_array_equal(mapped, values)
    assert memory_map_under(mapped).filename == tmp_path / "x.npy"
    assert not mapped.flags.writeable


def test_the_members_of_a_npz_are_mapped_where_they_lie_in_the_zip(tmp_path: Path) -> None:
    x, y = np.arange(60.0).reshape(5, 12), np.arange(5)
    np.savez(tmp_path / "both.npz", x=x, y=y)
    for key, values in {"x": x, "y": y}.items():
        array = npz_array(tmp_path / "both.npz", key)
        assert memory_map_under(array.map()).filename == tmp_path / "both.npz"
        np.testing.assert_array_equal(array.map(), values)
        raw = (tmp_path / "both.npz").read_bytes()
        assert raw[array.offset : array.offset + values.nbytes] == values.tobytes()


def test_a_sparse_file_of_2_gb_reads_a_batch_in_little_memory(tmp_path: Path) -> None:
    rows, row_bytes = 32_768, 64 * 1024
    path = tmp_path / "large.npy"
    np.save(path, np.zeros((1, row_bytes), np.uint8))
    header = path.read_bytes()[:128].replace(b"(1, 65536), ", b"(32768, 65536), ").replace(b"    \n", b"\n")
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.seek(128 + 5 * row_bytes)
        file.write(b"\x07" * row_bytes)
        file.truncate(128 + rows * row_bytes)
    mapped = npy_array(path).map()
    assert mapped.nbytes == 2 * 1024**3
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch = mapped[[5, 20_000, 32_767]]
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert batch.sum(axis=1, dtype=np.int64).tolist() == [7 * row_bytes, 0, 0]
    assert grown_kib < 64 * 1024


def test_a_mapped_array_pickles_as_its_place(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1000, 100)))
    pickled = pickle.dumps(npy_array(tmp_path / "x.npy"))
    assert len(pickled) < 1000
    restored = pickle.loads(pickled)
    assert isinstance(restored, NpyArray)
    assert restored.map().shape == (1000, 100)


def test_python_objects_are_refused_without_unpickling_them(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    np.save(tmp_path / "x.npy", np.array([Trap(), Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"x\.npy  holds Python objects(.|\n)*fix: save an array of numbers"):
        npy_array(tmp_path / "x.npy")
    assert not (tmp_path / "sprung").exists()


def test_a_truncated_npy_is_refused_with_the_bytes_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((10, 10), np.float32))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"x\.npy  is truncated\n  expected 400 bytes(.|\n)*received 399 bytes"):
        npy_array(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am no array", b"\x93NUMPY\x01\x00\x10\x00{'descr': ", b"\x93NUMPY"]
)
def test_a_corrupt_npy_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npy  is no readable \.npy(.|\n)*fix: save it again with np\.save"):
        npy_array(tmp_path / "x.npy")


@pytest.mark.filterwarnings("ignore")
def test_no_damage_to_a_header_escapes_as_another_error(tmp_path: Path) -> None:
    path, chance = tmp_path / "x.npy", random.Random(5)
    np.save(path, np.zeros((3, 2)))
    original = path.read_bytes()
    for _ in range(500):
        damaged = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(80)] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            npy_array(path)
        except DataError as error:
            assert "x.npy" in str(error)


@pytest.mark.parametrize(
    ("values", "received"), [(np.float32(3), r"shape \(\)"), (np.zeros((0, 4)), r"shape \(0, 4\)")]
)
def test_arrays_without_rows_are_refused(tmp_path: Path, values: np.ndarray, received: str) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(DataError, match=rf"x\.npy  holds no rows(.|\n)*received {received}"):
        npy_array(tmp_path / "x.npy")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.npy  no such file\n  fix: check the path"):
        npy_array(tmp_path / "x.npy")
    with pytest.raises(DataError, match=r"both\.npz  no such file"):
        npz_array(tmp_path / "both.npz", "x")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        npy_array(tmp_path)


def test_a_compressed_npz_is_refused_with_the_way_to_save_it(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "both.npz", x=np.zeros(5))
    with pytest.raises(
        DataError, match=r"both\.npz\[x\]  is compressed(.|\n)*fix: save it uncompressed, with np\.savez"
    ):
        npz_array(tmp_path / "both.npz", "x")


def test_a_key_that_a_npz_lacks_is_answered_with_those_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", x_train=np.zeros(5), y_train=np.zeros(5))
    with pytest.raises(DataError, match=r"has no array 'x_trian'\n  expected one of: x_train, y_train\n.*'x_train'"):
        npz_array(tmp_path / "both.npz", "x_trian")


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.npz"
    np.savez(path, x=np.zeros(500))
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(DataError, match=r"both\.npz  is no readable \.npz"):
        npz_array(path, "x")
    path.write_bytes(b"\0" * struct.calcsize("<I") + whole[4:])  # the local header's signature is gone
    with pytest.raises(DataError, match=r"both\.npz  is no readable \.npz: no header before 'x'"):
        npz_array(path, "x")
