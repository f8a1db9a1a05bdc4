from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.sources.npy_files import NpyRows, npy_array


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, np.ndarray]:
    values = np.random.default_rng(0).integers(0, 2**16, (50, 64, 64), dtype=np.uint16)
    np.save(tmp_path / "x.npy", values)
    return tmp_path / "x.npy", values


@pytest.mark.parametrize("indices", [[7, 3, 49, 0, 3], [10, 11, 12, 40, 41, 5, 6, 4], [1, 3, 2, 2, 3, 4], []])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_rows_are_read_into_their_places(stored: tuple[Path, np.ndarray], dtype: type, indices: list[int]) -> None:
    path, values = stored
    out = np.zeros((len(indices), 64, 64), dtype)
    NpyRows(npy_array(path)).read(np.array(indices, np.int64), out)
    assert np.array_equal(out, values[indices])


def test_rows_are_read_into_places_that_lie_apart(stored: tuple[Path, np.ndarray]) -> None:
    path, values = stored
    out = np.zeros((2, 64, 64, 2), np.uint16)[..., 0]
    NpyRows(npy_array(path)).read(np.array([4, 1]), out)
    assert np.array_equal(out, values[[4, 1]])


def test_a_file_that_becomes_shorter_is_an_error_in_words(stored: tuple[Path, np.ndarray]) -> None:
    path, _ = stored
    rows = NpyRows(npy_array(path))
    with path.open("r+b") as file:
        file.truncate(20 * 8192)
    for indices, row in (([30], 30), ([18, 19, 20, 21], 19)):  # the header takes 128 bytes of row 19's place
        with pytest.raises(DataError, match=f"ends before row {row}: the file has become shorter"):
            rows.read(np.array(indices), np.zeros((len(indices), 64, 64), np.uint16))


def test_rows_pickle_as_a_place(stored: tuple[Path, np.ndarray]) -> None:
    path, values = stored
    rows = NpyRows(npy_array(path))
    rows.read(np.array([0]), np.zeros((1, 64, 64), np.uint16))
    out = np.zeros((1, 64, 64), np.uint16)
    pickle.loads(pickle.dumps(rows)).read(np.array([5]), out)
    assert np.array_equal(out[0], values[5])


def test_only_large_rows_in_one_piece_are_read_by_calls(tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.zeros((5, 100)))
    np.save(tmp_path / "large.npy", np.zeros((5, 64, 64)))
    np.save(tmp_path / "columns.npy", np.asfortranarray(np.zeros((5, 64, 64))))
    worth = [npy_array(tmp_path / f"{name}.npy").rows() is not None for name in ("small", "large", "columns")]
    assert worth == [False, True, False]
