import collections
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest

from seqtrain.training.plain_data import decode, encode


def round_trip(value):
    """Through JSON text and an .npz file, as in a checkpoint."""
    arrays = {}
    text = json.dumps(encode(value, arrays, "test"))
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as read:
        return decode(json.loads(text), dict(read))


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -0.1, 1e-300, float("inf"), "text", b"\x00\xff", [1, [2.5, None]], (1, ("a",)), {3, 4},
        frozenset({"x"}), {"a": 1, 2: (3,), ("t", 1): None}, collections.deque([1, 2], maxlen=5), Path("a/b"),
        {"array": "a text, not a reference"},
    ],
)  # fmt: skip
def test_values_come_back_equal_and_of_the_same_type(value):
    back = round_trip(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.1), np.int64(2**62), np.bool_(True), np.array(3.0), np.zeros((0, 4), np.uint8),
        np.arange(6, dtype=">i2").reshape(2, 3)[:, ::-1], np.array([1.5, np.nan]), np.array(["a", "bcd"]),
        np.array(["2026-01-01"], dtype="datetime64[D]"),
    ],
)  # fmt: skip
def test_arrays_and_scalars_keep_their_type_shape_and_bits(value):
    back = round_trip(value)
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.tobytes() == value.tobytes()


def test_bfloat16_which_numpy_files_do_not_know_keeps_its_bits():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    value = np.array([1.5, -2.0, 3.25], dtype=ml_dtypes.bfloat16)
    back = round_trip(value)
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()


def test_a_nan_comes_back():
    assert np.isnan(round_trip(float("nan")))


def test_generators_go_on_where_they_were():
    ours, numpys = random.Random(3), np.random.default_rng(3)
    ours.random(), numpys.random(5)
    other, others = round_trip(ours), round_trip(numpys)
    assert other.random() == ours.random()
    assert others.random() == numpys.random()


@pytest.mark.parametrize("value", [object(), lambda: 1, [object()], np.array([object()]), {"a": {object()}}])
def test_what_is_not_data_is_refused(value):
    with pytest.raises(TypeError):
        encode(value, {}, "test")


def test_an_array_is_copied_so_that_later_changes_do_not_reach_it():
    array, arrays = np.zeros(3), {}
    encode(array, arrays, "test")
    array[:] = 1
    assert next(iter(arrays.values())).sum() == 0
