"""Reads windows of voxels from the file of one volume, in canonical axes.

A file stores voxels as an array with its own three axes, slowest first; the canonical axes (see `volume_source`) are
the same axes in another order, some of them reversed. So a canonical window is a window of the stored array, and only
the rows that it touches are read from an uncompressed file, with one call per plane. The file is not memory-mapped,
because the process would be killed if the file were truncated while a run reads it. A compressed file is decompressed
as a whole.
"""

from __future__ import annotations

import gzip
import itertools
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.sources.npy_files import npy_array
from seqtrain.sources.volume_source import Shape, Spacing, Voxels, Window

_AS_STORED = (0, 1, 2)
_FIX = "copy or save the file again"
_MOST_PLANES = 64  # of a volume whose intensities are measured


@dataclass(frozen=True)
class VolumeFile:
    """A volume on disk.

    Args:
        path: The file.
        stored_shape: The shape of the stored array, slowest axis first.
        dtype: The dtype of the stored voxels.
        offset: The offset of the first voxel in the decompressed file.
        axes: The stored axis of each of (z, y, x).
        reversed_axes: Whether the stored axis of each of (z, y, x) is reversed.
        affine: The matrix, 4x4, from canonical voxels (x, y, z) to positions (right, anterior, superior); None if
            unknown.
        unit_mm: The unit of the affine in millimetres.
        slope: The factor of stored values.
        intercept: The number that is added to the product.
        is_compressed: Whether the whole file is one gzip stream.
    """

    path: Path
    stored_shape: Shape
    dtype: np.dtype[Any]
    offset: int
    axes: tuple[int, int, int] = _AS_STORED
    reversed_axes: tuple[bool, bool, bool] = (False, False, False)
    affine: npt.NDArray[np.float64] | None = None
    unit_mm: float = 1.0
    slope: float = 1.0
    intercept: float = 0.0
    is_compressed: bool = False

    @property
    def shape(self) -> Shape:
        """The shape along (z, y, x)."""
        depth, height, width = (self.stored_shape[axis] for axis in self.axes)
        return depth, height, width

    @property
    def spacing_mm(self) -> Spacing:
        """The distances between voxels along (z, y, x); 1 if unknown."""
        if self.affine is None:
            return 1.0, 1.0, 1.0
        x, y, z = (self.unit_mm * np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))).tolist()
        return z, y, x

    def read(self, window: Window | None = None) -> Voxels:
        """The voxels of a window, along (z, y, x): integers as stored, or scaled to float32.

        Raises:
            DataError: when the file is missing, damaged or truncated, or the window holds NaN.
        """
        stored = self._stored_window(window or full_window(self.shape))
        try:
            box = self._decompressed()[stored] if self.is_compressed else self._read_rows(stored)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"the compressed file is damaged or truncated: {error}", where=self.path, fix=_FIX) from (
                error
            )
        except OSError as error:
            raise DataError(f"the volume cannot be read: {error.strerror or error}", where=self.path) from error
        return self._scaled(box.transpose(self.axes)[self._directions()])

    def sampled_planes(self) -> list[Window]:
        """Some evenly spaced planes across the slowest stored axis, so that only these planes are read."""
        across = self.axes.index(0)
        length = self.shape[across]
        step = -(-length // _MOST_PLANES)
        if step == 1:
            return [full_window(self.shape)]
        z, y, x = (
            [slice(at, at + 1) for at in range(step // 2, length, step)] if axis == across else [slice(0, side)]
            for axis, side in enumerate(self.shape)
        )
        return list(itertools.product(z, y, x))

    def check_length(self) -> None:
        """Checks that an uncompressed file is not truncated.

        Raises:
            DataError: when it is.
        """
        if not self.is_compressed and self.path.stat().st_size < self._end:
            raise self._truncated(self.path.stat().st_size)

    @property
    def _end(self) -> int:
        return self.offset + math.prod(self.stored_shape) * self.dtype.itemsize

    def _stored_window(self, window: Window) -> Window:
        parts = [slice(None)] * 3
        for part, axis, is_reversed, length in zip(window, self.axes, self.reversed_axes, self.shape, strict=True):
            start, stop, _ = part.indices(length)
            parts[axis] = slice(length - stop, length - start) if is_reversed else slice(start, stop)
        return parts[0], parts[1], parts[2]

    def _directions(self) -> Window:
        z, y, x = (slice(None, None, -1 if is_reversed else 1) for is_reversed in self.reversed_axes)
        return z, y, x

    def _decompressed(self) -> Voxels:
        content = gzip.decompress(self.path.read_bytes())
        if len(content) < self._end:
            raise self._truncated(len(content))
        return np.frombuffer(content, self.dtype, math.prod(self.stored_shape), self.offset).reshape(self.stored_shape)

    def _read_rows(self, window: Window) -> Voxels:
        """Reads whole rows, and returns the window's part of them."""
        planes, rows, columns = window
        _, height, width = self.stored_shape
        box = np.empty((planes.stop - planes.start, rows.stop - rows.start, width), self.dtype)
        row_bytes = width * self.dtype.itemsize
        with self.path.open("rb") as file:
            for plane, content in enumerate(box, start=planes.start):
                file.seek(self.offset + (plane * height + rows.start) * row_bytes)
                self._fill(file, content)
        return box[:, :, columns]

    def _fill(self, file: BinaryIO, content: Voxels) -> None:
        if file.readinto(content.reshape(-1).view(np.uint8).data) < content.nbytes:  # type: ignore[attr-defined]
            raise self._truncated(file.seek(0, 2))

    def _scaled(self, voxels: Voxels) -> Voxels:
        if (self.slope, self.intercept) != (1.0, 0.0):
            scaled = np.empty_like(voxels, dtype=np.float32)
            for plane, scaled_plane in zip(voxels, scaled, strict=True):  # float64 for one plane at a time
                scaled_plane[...] = plane * np.float64(self.slope) + self.intercept
            voxels = scaled
        elif self.dtype.kind == "f":
            voxels = voxels.astype(np.float32)
        else:
            return voxels.astype(np.uint8 if self.dtype.kind == "b" else self.dtype.newbyteorder("="), copy=False)
        if not np.isfinite(voxels).all():
            raise DataError(
                "the volume holds values that are no finite numbers",
                where=self.path,
                received=f"{int((~np.isfinite(voxels)).sum())} voxels that are NaN or infinite",
                fix="set them to the background's value, or leave the volume out",
            )
        return voxels

    def _truncated(self, received: int) -> DataError:
        return DataError(
            "the volume is truncated",
            where=self.path,
            expected=f"{self._end} bytes for {self.dtype} of shape {self.stored_shape}",
            received=f"{received} bytes",
            fix=_FIX,
        )


def npy_volume(path: Path) -> VolumeFile:
    """The volume in a .npy file, whose axes must be (z, y, x) and whose spacing is unknown.

    Raises:
        DataError: when the file is missing, corrupt or truncated, or does not hold a volume.
    """
    array = npy_array(path)
    check_voxels(path, array.shape, array.dtype)
    slowest, middle, fastest = array.shape[::-1] if array.fortran_order else array.shape
    axes = (2, 1, 0) if array.fortran_order else _AS_STORED
    return VolumeFile(path, (slowest, middle, fastest), array.dtype, array.offset, axes)


def check_voxels(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Checks that an array is a volume with one number per voxel.

    Raises:
        DataError: when it does not have three axes, or the voxels are not single numbers.
    """
    if len(shape) != 3 or 0 in shape:
        raise DataError(
            f"has {len(shape)} axes, and is no volume" if 0 not in shape else "is empty",
            where=path,
            expected="three axes: depth, height, width",
            received=f"shape {tuple(shape)}",
            fix="save each time step or channel as a volume of its own",
        )
    if dtype.kind not in "iubf" or dtype.itemsize > 8:
        raise DataError(
            "has voxels that are not one number each",
            where=path,
            expected="integers or floats of up to 64 bits",
            received=str(dtype),
            fix="save it with one number per voxel, such as float32",
        )


def full_window(shape: Shape) -> Window:
    """The window of a whole volume."""
    depth, height, width = shape
    return slice(0, depth), slice(0, height), slice(0, width)
