"""Configs for pictures and volumes with masks, and for volumes with labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seqtrain.init.picture_recipes import Pictures
from seqtrain.init.recipe import Recipe

Shape = tuple[int, int, int]

_LARGEST_PATCH, _LARGEST_VOLUME = 64, 96
_LOSS_WHY = "The loss counts pixels and overlap alike; mean_iou is the overlap, averaged over the classes."


def segmentation(about: str, source: Mapping[str, Any], pictures: Pictures, why: Mapping[str, str]) -> Recipe:
    """Pictures with a class for each pixel."""
    return Recipe(
        about=about,
        source=source,
        sequence={
            "name": "image_mask",
            "image_size": list(pictures.image_size),
            "color": pictures.color,
            "horizontal_flip": 0.5,
        },
        model={"name": "unet", "filters": [16, 32, 64] if min(pictures.image_size) < 128 else [16, 32, 64, 128]},
        loss="dice_cross_entropy",
        metrics=["mean_iou"],
        monitor="val_mean_iou",
        batch_size=pictures.batch_size,
        learning_rate=3e-3,
        why={
            "sequence": "Image and mask are flipped alike; drop the flip where left and right matter.",
            "compile": _LOSS_WHY,
            **why,
        },
    )


def slices(about: str, source: Mapping[str, Any], pictures: Pictures) -> Recipe:
    """Slices of volumes as pictures."""
    told = {
        "split": "By patient, so that no one's slices are on both sides.",
        "source": "Every axial slice with its mask.",
    }
    return replace(segmentation(about, {**source, "plane": "axial"}, pictures, told), by="group")


def patches(about: str, source: Mapping[str, Any], shape: Shape) -> Recipe:
    """Patches of volumes.

    Args:
        about: See `Recipe`.
        source: See `Recipe`.
        shape: Of a typical volume.
    """
    patch = [min(_LARGEST_PATCH, max(8, edge // 8 * 8)) for edge in shape]
    return Recipe(
        about=about,
        source=source,
        sequence={
            "name": "volume_patches",
            "patch_size": patch,
            "patches_per_volume": 4,
            "foreground": 0.5,
            "horizontal_flip": 0.5,
        },
        model={"name": "unet_3d", "filters": [8, 16, 32] if min(patch) >= 32 else [8, 16]},
        loss="dice_cross_entropy",
        metrics=["mean_iou"],
        monitor="val_mean_iou",
        by="group",
        batch_size=8 if math.prod(patch) <= 32**3 else 2,
        learning_rate=5e-3,
        why={
            "sequence": "Half of the patches lie about a voxel of the foreground. Each volume is scaled by its own "
            "mean and deviation; for CT set `window: [low, high]`. [z, y, x].",
            "split": "By patient, so that no one is on both sides.",
            "compile": _LOSS_WHY.replace("pixels", "voxels"),
        },
    )


def volume_classes(about: str, source: Mapping[str, Any], shape: Shape) -> Recipe:
    """Whole volumes with a class each."""
    size = [min(_LARGEST_VOLUME, max(8, edge // 4 * 4)) for edge in shape]
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "volumes", "volume_size": size, "resize": "pad", "horizontal_flip": 0.5},
        model={"name": "cnn_3d", "filters": [8, 16, 32], "dense_units": 16},
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        monitor="val_loss",
        by="group",
        batch_size=4,
        learning_rate=2e-3,
        why={
            "sequence": "Each volume is brought to one size, [z, y, x], and scaled by its own mean and deviation; "
            "for CT set `window: [low, high]`.",
            "split": "By patient, so that no one is on both sides.",
        },
    )
