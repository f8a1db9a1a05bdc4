"""Converts Python values to JSON and arrays for checkpoints, and back, without pickle.

Numbers, texts, lists, mappings, arrays and NumPy's scalars keep their types; floats keep every bit. In the JSON, an
array is a reference to an entry of `arrays`, which goes into an `.npz` file.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = MutableMapping[str, npt.NDArray[Any]]

_SEQUENCES = {"tuple": tuple, "set": set, "frozenset": frozenset}


def encode(value: Any, arrays: Arrays, prefix: str) -> Any:
    """A value as JSON.

    Args:
        value: The value.
        arrays: The arrays in the value are added to this mapping.
        prefix: The prefix of their names in `arrays`.

    Raises:
        TypeError: when it is not plain data.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.hasobject:
            raise TypeError("an array of objects")
        name = f"{prefix}/{len(arrays)}"
        # NumPy saves extension dtypes such as bfloat16 as plain bytes without their name.
        plain = np.array(value, copy=True, order="C")
        arrays[name] = plain if plain.dtype.isbuiltin == 1 or plain.dtype.kind in "SU" else _as_bytes(plain)
        return {
            "array": name,
            "dtype": plain.dtype.str if plain.dtype.kind != "V" else plain.dtype.name,
            "shape": list(plain.shape),
            "scalar": isinstance(value, np.generic),
        }
    if type(value) is list:
        return [encode(item, arrays, prefix) for item in value]
    if type(value) is dict:
        return {"items": [[encode(key, arrays, prefix), encode(item, arrays, prefix)] for key, item in value.items()]}
    if type(value) is collections.deque:
        return {"deque": encode(list(value), arrays, prefix), "maxlen": value.maxlen}
    for kind, type_ in _SEQUENCES.items():
        if type(value) is type_:
            return {kind: [encode(item, arrays, prefix) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, Path):
        return {"path": str(value)}
    if type(value) is random.Random:
        return {"random": encode(value.getstate(), arrays, prefix)}
    if isinstance(value, np.random.Generator):
        return {
            "generator": type(value.bit_generator).__name__,
            "state": encode(value.bit_generator.state, arrays, prefix),
        }
    raise TypeError(f"a {type(value).__name__}")


def decode(document: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    """The value that `encode` was given."""
    if isinstance(document, list):
        return [decode(item, arrays) for item in document]
    if not isinstance(document, dict):
        return document
    if "array" in document:
        array = arrays[document["array"]]
        if array.dtype == np.uint8 and document["dtype"] != "|u1":
            array = array.view(np.dtype(document["dtype"]))
        array = array.reshape(document["shape"])
        return array[()] if document["scalar"] else array
    if "items" in document:
        return {decode(key, arrays): decode(item, arrays) for key, item in document["items"]}
    if "deque" in document:
        return collections.deque(decode(document["deque"], arrays), document["maxlen"])
    for kind, type_ in _SEQUENCES.items():
        if kind in document:
            return type_(decode(item, arrays) for item in document[kind])
    if "bytes" in document:
        return bytes.fromhex(document["bytes"])
    if "path" in document:
        return Path(document["path"])
    if "random" in document:
        generator = random.Random()
        generator.setstate(decode(document["random"], arrays))
        return generator
    bits: Any = getattr(np.random, document["generator"])()
    bits.state = decode(document["state"], arrays)
    return np.random.Generator(bits)


def _as_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(array.tobytes(), dtype=np.uint8)
