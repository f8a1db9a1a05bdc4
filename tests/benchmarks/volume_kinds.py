"""Volumes like CT: patches and slices, of files as they are and compressed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.kind import Kind, shuffled
from tests.benchmarks.same_work import different_numbers

_SHAPE = (160, 160, 96)  # x, y, z
_CLASSES = ["background", "organ", "lesion"]
_WINDOW = (-200.0, 300.0)
_PATCHES = 4  # of each volume in an epoch
_FOREGROUND = 0.33


def volumes(extension: str, data: Path, quick: bool) -> Path:
    """Writes volumes of int16 with masks, where they are not there; returns their folder."""
    import nibabel

    count, shape = (2, (*_SHAPE[:2], 66)) if quick else (16, _SHAPE)
    folder = data / f"volumes-{count}{extension}"
    if (folder / "done").exists():
        return folder
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        voxels, mask = _phantom(shape, np.random.default_rng(number))
        for name, array in (("images", voxels), ("labels", mask)):
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / name / f"{number:02d}{extension}")
    (folder / "done").touch()
    return folder


def _phantom(shape: tuple[int, int, int], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A body in air with an organ and lesions, and the noise of a scanner."""
    at = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))

    def ball(radius: float, *centre: float) -> np.ndarray:
        return ((at - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0) < radius**2

    body, organ = ball(0.95, 0, 0, 0), ball(0.45, *generator.uniform(-0.2, 0.2, 3))
    lesions = np.zeros(shape, bool)
    for _ in range(4):
        lesions |= ball(0.12, *generator.uniform(-0.4, 0.4, 3))
    voxels = np.select([lesions & body, organ, body], [110.0, 60.0, 10.0], -1000.0)
    voxels += generator.normal(size=shape) * np.where(body, 20, 6)
    return voxels.astype(np.int16), np.select([lesions & body, organ], [2, 1], 0).astype(np.uint8)


class _Volumes:
    """Files of volumes and of their masks.

    Args:
        folder: Of both.
    """

    def __init__(self, folder: Path) -> None:
        self.images, self.labels = (sorted((folder / name).glob("*.nii*")) for name in ("images", "labels"))


class Patches(_Volumes):
    """Patches the way of the tutorials: the volume is read, and a part of it taken.

    Args:
        patch_size: Depth, height and width.
        by_parts: Let nibabel read no more than the patch, where the file is not compressed.
        folder: Of volumes and masks.
        batch_size: Patches in a batch.
        training: Whether patches are drawn; or in a grid.
    """

    def __init__(
        self, patch_size: tuple[int, int, int], by_parts: bool, folder: Path, batch_size: int, training: bool
    ) -> None:
        super().__init__(folder)
        self.size = patch_size[::-1]  # x, y, z, as nibabel has it
        self.by_parts = by_parts
        self.batch_size = batch_size
        self.training = training
        self.generator = np.random.default_rng(1)
        self.places = self._grid()
        if training:
            self.places = [(volume, None) for volume in range(len(self.images)) for _ in range(_PATCHES)]
        self.order = shuffled(len(self.places), training)

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        patches = [self.patch(*self.places[number]) for number in part]
        x, y = zip(*patches, strict=True)
        return np.array(x)[..., None], np.array(y)

    def patch(self, volume: int, corner: tuple[int, int, int] | None) -> tuple[np.ndarray, np.ndarray]:
        """One patch and its mask, along z, y and x."""
        import nibabel

        image, label = nibabel.load(self.images[volume]), nibabel.load(self.labels[volume])
        voxels, mask = (image.dataobj, label.dataobj) if self.by_parts else (image.get_fdata(), label.get_fdata())
        corner = self._drawn(np.asarray(mask)) if corner is None else corner
        box = tuple(slice(at, at + side) for at, side in zip(corner, self.size, strict=True))
        return _windowed(np.asarray(voxels[box])).T, np.asarray(mask[box]).astype(np.uint8).T

    def _drawn(self, mask: np.ndarray) -> list[int]:
        ways = np.array(mask.shape) - self.size
        if self.generator.random() < _FOREGROUND:
            found = np.argwhere(mask > 0)
            middle = found[self.generator.integers(len(found))]
            return np.clip(middle - np.array(self.size) // 2, 0, ways).tolist()
        return self.generator.integers(0, ways + 1).tolist()

    def _grid(self) -> list[tuple[int, tuple[int, int, int]]]:
        import nibabel

        places = []
        for volume, path in enumerate(self.images):
            ways = [length - side for length, side in zip(nibabel.load(path).shape, self.size, strict=True)]
            x, y, z = ([*range(0, way, side), way] for way, side in zip(ways, self.size, strict=True))
            places += [(volume, (i, j, k)) for k in z for j in y for i in x]
        return places


class Slices(_Volumes):
    """Axial slices as gray pictures.

    Args:
        by_parts: Let nibabel read no more than the slice, where the file is not compressed.
        folder: Of volumes and masks.
        batch_size: Slices in a batch.
        training: Whether to shuffle.
    """

    def __init__(self, by_parts: bool, folder: Path, batch_size: int, training: bool) -> None:
        import nibabel

        super().__init__(folder)
        depths = [nibabel.load(path).shape[2] for path in self.images]
        self.places = [(volume, z) for volume, depth in enumerate(depths) for z in range(depth)]
        self.by_parts = by_parts
        self.batch_size = batch_size
        self.order = shuffled(len(self.places), training)

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        import nibabel

        x, y = [], []
        for number in self.order[index * self.batch_size : (index + 1) * self.batch_size]:
            volume, z = self.places[number]
            image, label = nibabel.load(self.images[volume]), nibabel.load(self.labels[volume])
            voxels, mask = (image.dataobj, label.dataobj) if self.by_parts else (image.get_fdata(), label.get_fdata())
            x.append(np.rint(255 * _windowed(np.asarray(voxels[:, :, z]))).astype(np.uint8).T[::-1, :, None])
            y.append(np.asarray(mask[:, :, z]).astype(np.uint8).T[::-1])
        return np.array(x), np.array(y)


def _windowed(voxels: np.ndarray) -> np.ndarray:
    low, high = _WINDOW
    return np.clip((voxels.astype(np.float32) - low) / (high - low), 0, 1)


def _source(name: str, cache_mb: int, at: Path) -> dict[str, object]:
    files = {"images": at / "images", "labels": at / "labels", "classes": _CLASSES}
    window = {"window": _WINDOW} if name == "volume_slices" else {}
    return {"name": name, **files, "cache_mb": cache_mb, **window}


def _patches(name: str, extension: str, cache_mb: int, at_least: float | None) -> Kind:
    return Kind(
        name,
        partial(volumes, extension),
        partial(_source, "volumes", cache_mb),
        {
            "name": "volume_patches",
            "patch_size": _PATCH,
            "patches_per_volume": _PATCHES,
            "foreground": _FOREGROUND,
            "window": _WINDOW,
        },
        4,
        {
            "nibabel, whole volumes": partial(Patches, _PATCH, False),
            "nibabel, parts of them": partial(Patches, _PATCH, True),
        },
        num_batches=16,
        at_least=at_least,
        differs=lambda folder, ours, theirs: different_numbers(ours, theirs),
        needs=("nibabel",),
    )


def _slices(name: str, extension: str, size: tuple[int, int], at_least: float | None) -> Kind:
    return Kind(
        name,
        partial(volumes, extension),
        partial(_source, "volume_slices", 512),
        {"name": "image_mask", "image_size": size, "color": "gray"},
        16,
        {"nibabel, whole volumes": partial(Slices, False), "nibabel, parts of them": partial(Slices, True)},
        num_batches=10,
        at_least=at_least,
        differs=lambda folder, ours, theirs: different_numbers(ours, theirs),
        needs=("nibabel",),
    )


_PATCH = (64, 64, 64)
VOLUME_KINDS = [
    _patches("patches of .nii", ".nii", 512, 2.0),
    _patches("patches of .nii.gz", ".nii.gz", 512, 2.0),
    _patches("patches, .nii.gz beyond the cache", ".nii.gz", 16, None),
    _slices("slices of .nii", ".nii", _SHAPE[1::-1], 2.0),
    _slices("slices of .nii.gz", ".nii.gz", _SHAPE[1::-1], 2.0),
]
