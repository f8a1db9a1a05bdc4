"""Small files of every kind that the program reads, from a few words in YAML."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image


def write(path: Path, content: Any, data: Path) -> None:
    """Writes a file: text or bytes as they are, a mapping by what it names.

    Args:
        path: The file.
        content: Text, bytes, or one of `copy` (a sample file), `folder`, `npy` (an array, see `array`), `npz` and
            `hdf5` (arrays by name), `image` (an array of pixels; `mode` converts it), `nifti` (an array, `spacing`,
            `origin`), `parquet` (columns), `repeat` ([text, times]); `cut` then shortens the file, to so many bytes
            or by so many.
        data: The folder of the sample data.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif "folder" in content:
        path.mkdir(exist_ok=True)
    else:
        kind = next(kind for kind in WRITERS if kind in content)
        WRITERS[kind](path, content, data)
        if "cut" in content:
            path.write_bytes(path.read_bytes()[: content["cut"]])


def array(spec: Any) -> np.ndarray:
    """A list, or `shape` with `start` and `step` and then `put` (index: value), of a `dtype`."""
    if not isinstance(spec, dict):
        return np.array(spec)
    if "values" in spec:
        return np.array(spec["values"], dtype=spec.get("dtype"))
    size = int(np.prod(spec["shape"]))
    made = (spec.get("start", 0) + spec.get("step", 0) * np.arange(size)).reshape(spec["shape"])
    made = made.astype(spec.get("dtype", "uint8"))
    for index, value in spec.get("put", {}).items():
        made[tuple(map(int, str(index).split(",")))] = value
    return made


def _copy(path: Path, content: Any, data: Path) -> None:
    path.write_bytes((data / content["copy"]).read_bytes())


def _repeat(path: Path, content: Any, data: Path) -> None:
    text, times = content["repeat"]
    path.write_text(content.get("header", "") + text * times, encoding="utf-8", newline="")


def _npy(path: Path, content: Any, data: Path) -> None:
    np.save(path, array(content["npy"]), allow_pickle=False)


def _npz(path: Path, content: Any, data: Path) -> None:
    save = np.savez_compressed if content.get("compressed") else np.savez
    save(path, **{name: array(spec) for name, spec in content["npz"].items()})


def _hdf5(path: Path, content: Any, data: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, spec in content["hdf5"].items():
            file[name] = array(spec)


def _image(path: Path, content: Any, data: Path) -> None:
    pixels = array(content["image"])
    image = Image.fromarray(pixels if pixels.dtype != np.int64 else pixels.astype(np.uint8))
    (image.convert(content["mode"]) if "mode" in content else image).save(path)


def _nifti(path: Path, content: Any, data: Path) -> None:
    affine = np.diag([*content.get("spacing", (1.0, 1.0, 1.0)), 1.0])
    affine[:3, 3] = content.get("origin", (0, 0, 0))
    plain = nibabel.Nifti1Image(array(content["nifti"]), affine).to_bytes()
    path.write_bytes(gzip.compress(plain, mtime=0) if path.suffix == ".gz" else plain)


def _parquet(path: Path, content: Any, data: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table(content["parquet"]), path)


WRITERS = {
    "copy": _copy,
    "repeat": _repeat,
    "npy": _npy,
    "npz": _npz,
    "hdf5": _hdf5,
    "image": _image,
    "nifti": _nifti,
    "parquet": _parquet,
}
