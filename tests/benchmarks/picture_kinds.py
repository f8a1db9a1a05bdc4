"""Pictures by pairs and triplets, and with noise: what is drawn differs, so its kind is compared and not its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.data import photographs
from tests.benchmarks.kind import Kind, shuffled
from tests.benchmarks.pixels import TOLERANCE
from tests.benchmarks.same_work import Leaves, different_form, nearest
from tests.benchmarks.sequences import pillow_picture

_SIZE = (224, 224)
_SCALE = 0.1  # of the noise, in parts of white


class _Classes:
    """Photographs in class folders.

    Args:
        folder: Of the class folders.
        batch_size: Samples in a batch.
        training: Whether to shuffle.
    """

    def __init__(self, folder: Path, batch_size: int, training: bool) -> None:
        self.paths = sorted(str(path) for path in folder.glob("*/*.jpg"))
        names = [Path(path).parent.name for path in self.paths]
        self.labels = np.unique(names, return_inverse=True)[1].astype(np.int32)
        self.members = [np.flatnonzero(self.labels == label) for label in range(self.labels.max() + 1)]
        self.others = [np.flatnonzero(self.labels != label) for label in range(self.labels.max() + 1)]
        self.batch_size = batch_size
        self.order = shuffled(len(self.paths), training)
        self.generator = np.random.default_rng(1)

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def part(self, index: int) -> np.ndarray:
        """The samples of a batch."""
        return self.order[index * self.batch_size : (index + 1) * self.batch_size]

    def pictures(self, samples: np.ndarray | list[int]) -> np.ndarray:
        """The pictures of some samples."""
        return np.array([pillow_picture(self.paths[sample], _SIZE) for sample in samples])

    def same(self, sample: int) -> int:
        """Another sample of the class."""
        while (drawn := self.generator.choice(self.members[self.labels[sample]])) == sample:
            pass
        return drawn

    def other(self, sample: int) -> int:
        """A sample of another class."""
        return self.generator.choice(self.others[self.labels[sample]])


class Pairs(_Classes):
    """Half of the pairs of one class, half of two."""

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        a = self.part(index)
        y = (np.arange(len(a)) % 2).astype(np.int32)
        b = [self.same(i) if same else self.other(i) for i, same in zip(a, y, strict=True)]
        return {"a": self.pictures(a), "b": self.pictures(b)}, y


class Triplets(_Classes):
    """Each sample with one of its class, and one of another."""

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        anchors = self.part(index)
        positives, negatives = [self.same(i) for i in anchors], [self.other(i) for i in anchors]
        x = {"anchor": self.pictures(anchors), "positive": self.pictures(positives)}
        return {**x, "negative": self.pictures(negatives)}, self.labels[anchors]


class Noisy(_Classes):
    """Noisy pictures, and the pictures."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        pictures = self.pictures(self.part(index))
        noise = np.random.default_rng().normal(scale=_SCALE * 255, size=pictures.shape)
        return np.clip(pictures + noise, 0, 255).astype(np.uint8), pictures.astype(np.float32) / 255


def _different_pairs(folder: Path, ours: Leaves, theirs: Leaves) -> str | None:
    known = _Classes(folder, 1, False)
    pictures = known.pictures(range(len(known.paths)))
    for leaves in (ours, theirs):
        a, b = (nearest(leaves[f"x.{name}"], pictures) for name in "ab")
        if not np.array_equal(a, np.arange(len(a))):
            return f"the first pictures of the pairs are {a}"
        if not np.array_equal(known.labels[a] == known.labels[b], leaves["y"] == 1) or (a == b).any():
            return f"the pairs {a}, {b} are not what the labels {leaves['y']} say"
        if abs(leaves["y"].sum() - len(a) / 2) > 1:
            return f"{leaves['y'].sum()} of {len(a)} pairs are of one class"
    return different_form(ours, theirs)


def _different_triplets(folder: Path, ours: Leaves, theirs: Leaves) -> str | None:
    known = _Classes(folder, 1, False)
    pictures = known.pictures(range(len(known.paths)))
    for leaves in (ours, theirs):
        anchor, positive, negative = (
            nearest(leaves[f"x.{name}"], pictures) for name in ("anchor", "positive", "negative")
        )
        if not np.array_equal(anchor, np.arange(len(anchor))):
            return f"the anchors are {anchor}"
        labels = known.labels
        if (labels[anchor] != labels[positive]).any() or (labels[anchor] == labels[negative]).any():
            return f"{anchor}, {positive}, {negative} are no triplets"
    return different_form(ours, theirs)


def _different_noise(folder: Path, ours: Leaves, theirs: Leaves) -> str | None:
    if wrong := different_form(ours, theirs):
        return wrong
    if (apart := float(np.abs(ours["y"] - theirs["y"]).mean()) * 255) > TOLERANCE:
        return f"the targets differ by {apart:.1f} of 255"
    noise = [float(np.std(leaves["x"] - 255 * leaves["y"])) for leaves in (ours, theirs)]
    return None if abs(noise[0] - noise[1]) < 0.1 * noise[0] else f"noise of {noise[1]:.1f}, ours {noise[0]:.1f}"


def _classes(data: Path, quick: bool) -> Path:
    return photographs(data, 20 if quick else 400)


def _source(at: Path) -> dict[str, object]:
    return {"name": "image_folder", "path": at}


PICTURE_KINDS = [
    Kind(
        "pairs",
        _classes,
        _source,
        {"name": "image_pairs", "image_size": _SIZE},
        16,
        {"Pillow": Pairs},
        num_batches=50,
        at_least=2.0,
        differs=_different_pairs,
    ),
    Kind(
        "triplets",
        _classes,
        _source,
        {"name": "image_triplets", "image_size": _SIZE},
        16,
        {"Pillow": Triplets},
        num_batches=40,
        at_least=2.0,
        differs=_different_triplets,
    ),
    Kind(
        "denoising",
        _classes,
        _source,
        {"name": "autoencoder", "image_size": _SIZE, "noise": {"name": "gaussian", "scale": _SCALE}},
        32,
        {"Pillow": Noisy},
        num_batches=40,
        at_least=2.0,
        differs=_different_noise,
    ),
]
