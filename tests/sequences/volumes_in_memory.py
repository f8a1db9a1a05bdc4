"""Volumes that need no files, and that note which windows are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtrain.sources.volume_source import VolumeSource


class VolumesInMemory(VolumeSource):
    """A `VolumeSource` of arrays.

    Args:
        voxels: One array a volume, (depth, height, width).
        masks: One array of ids a volume.
        labels: One class index a volume.
        spacing_mm: Of all volumes.
    """

    classes: tuple[str, ...] | None = ("background", "lesion", "vessel")
    label_classes: tuple[str, ...] | None = ("healthy", "ill")

    def __init__(
        self,
        voxels: list[np.ndarray],
        masks: list[np.ndarray] | None = None,
        labels: list[int] | None = None,
        spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        self.voxels = voxels
        self.masks = masks
        self.labels = None if labels is None else np.array(labels)
        self.groups = np.array([f"patient {i}" for i in range(len(voxels))])
        self.has_masks = masks is not None
        self.windows: list[Any] = []
        self._spacing_mm = spacing_mm

    def __len__(self) -> int:
        return len(self.voxels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"voxels": self.voxels[index]}

    def shape(self, index: int) -> tuple[int, int, int]:
        return self.voxels[index].shape

    def spacing_mm(self, index: int) -> tuple[float, float, float]:
        return self._spacing_mm

    def read(self, index: int, window: Any = None) -> np.ndarray:
        self.windows.append(window)
        return _read_only(self.voxels[index], window)

    def read_mask(self, index: int, window: Any = None) -> np.ndarray:
        return _read_only(self.masks[index], window)

    def some_voxels(self, index: int) -> np.ndarray:
        self.windows.append("some voxels")
        return self.voxels[index].reshape(-1)

    def foreground(self, index: int) -> dict[int, np.ndarray]:
        mask = self.masks[index]
        return {int(i): np.argwhere(mask == i).astype(np.int32) for i in np.unique(mask) if i}

    def describe(self, index: int) -> str:
        return f"volume_{index}.nii"


def _read_only(array: np.ndarray, window: Any) -> np.ndarray:
    part = array if window is None else array[window]
    assert all(s.start >= 0 and s.stop <= n for s, n in zip(window or (), array.shape, strict=False))
    part = part.view()
    part.flags.writeable = False
    return part
