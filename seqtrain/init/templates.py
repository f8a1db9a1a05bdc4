"""A config of each kind for data that is not there yet: the same recipes, with paths to fill in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqtrain.init import mask_recipes, number_recipes, picture_recipes
from seqtrain.init.kinds import KINDS
from seqtrain.init.picture_recipes import Pictures, Splitting
from seqtrain.init.recipe import Recipe

_FOLDER = {"name": "image_folder", "path": "data/train"}
_IMAGES = {"name": "images", "path": "data/images"}
_VOLUMES = {"name": "volumes", "images": "data/images"}
_MASKED_VOLUMES = {**_VOLUMES, "labels": "data/labels", "classes": ["background", "lesion"]}
_PAIRED = {"images": "data/images", "masks": "data/masks", "classes": ["background", "object"]}
_SHAPE = (48, 128, 128)
_PICTURES, _SQUARES = Pictures(), Pictures((256, 256), batch_size=8)
_NAMES = {"source": "`classes` holds the names of the ids 0, 1 and so on in the masks, the background first."}


def template(kind: str) -> Recipe:
    """The config of a kind, with made-up paths."""
    recipe: Recipe = _MADE[kind](f"A config for {KINDS[kind].about}. Put your paths and names into `source`.")
    return recipe


def _source(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, **arguments}


def _segmentation(name: str, **arguments: Any) -> Callable[[str], Recipe]:
    why = _NAMES if "classes" in arguments else {}
    return lambda about: mask_recipes.segmentation(about, _source(name, **arguments), _SQUARES, why)


def _autoencoding(kind: str) -> Callable[[str], Recipe]:
    return lambda about: picture_recipes.autoencoding(about, _IMAGES, Pictures((64, 64)), kind)


def _arrays(**source: Any) -> Callable[[str], Recipe]:
    model = {"name": "cnn", "filters": [16, 32, 64]}
    return lambda about: number_recipes.array_rows(about, source, {"name": "arrays"}, model, 32, "stratified")


def _series(about: str) -> Recipe:
    source = _source("series", path="data/series", time="time", columns=["load", "temperature"], target="load")
    return number_recipes.forecast(about, {**source, "window": 168, "horizon": 24}, 64)


def _table(about: str) -> Recipe:
    source = _source("table", path="data/table.csv", targets={"price": "number"}, ignore=["id"])
    return number_recipes.table_rows(about, source, "number", 64, ("random", None))


def _manifest(about: str) -> Recipe:
    source = _source("image_manifest", manifest="data/images.csv", path_column="path", label_column="label")
    splitting = Splitting("group", "patient")
    return picture_recipes.classification(about, {**source, "target": "class"}, _PICTURES, splitting, {})


def _volume_classes(about: str) -> Recipe:
    source = {**_VOLUMES, "table": "data/patients.csv", "label_column": "diagnosis"}
    return mask_recipes.volume_classes(about, source, _SHAPE)


_MADE: dict[str, Callable[[str], Recipe]] = {
    "image_folder": lambda about: picture_recipes.classification(about, _FOLDER, _PICTURES, Splitting(), {}),
    "backbone": lambda about: picture_recipes.backbone(about, _FOLDER, Pictures((224, 224)), Splitting(), {}),
    "image_manifest": _manifest,
    "arrays": _arrays(name="arrays", x="data/x.npy", y="data/y.npy"),
    "hdf5": _arrays(name="hdf5", path="data/train.h5", x="images", y="labels"),
    "csv_pixels": lambda about: number_recipes.picture_rows(
        about, _source("csv_pixels", path="data/train.csv", image_size=[28, 28]), (28, 28), 64, "stratified"
    ),
    "volume_classification": _volume_classes,
    "table": _table,
    "series": _series,
    "ratings": lambda about: number_recipes.rating_rows(about, _source("ratings", path="data/ratings.csv"), 256),
    "image_mask": _segmentation("image_mask", **_PAIRED),
    "mask_folders": _segmentation("mask_folders", path="data/train", merge="border"),
    "encoded_masks": _segmentation("encoded_masks", path="data/train.csv", images="data/images"),
    "coco_masks": _segmentation("coco_masks", path="data/instances.json", images="data/images"),
    "volume_patches": lambda about: mask_recipes.patches(about, _MASKED_VOLUMES, _SHAPE),
    "volume_slices": lambda about: mask_recipes.slices(
        about, {**_MASKED_VOLUMES, "name": "volume_slices"}, Pictures((128, 128), "gray", 16)
    ),
    "pair_manifest": lambda about: picture_recipes.similarity(
        about, _source("pair_manifest", manifest="data/pairs.csv"), _PICTURES, "pairs", None, one_shot=False
    ),
    "siamese_pairs": lambda about: picture_recipes.similarity(
        about, _FOLDER, _PICTURES, "pairs", "class", one_shot=True
    ),
    "siamese_triplets": lambda about: picture_recipes.similarity(
        about, _FOLDER, _PICTURES, "triplets", "class", one_shot=True
    ),
    "autoencoder": _autoencoding("autoencoder"),
    "denoising": _autoencoding("denoising"),
    "vae": _autoencoding("vae"),
    "synthetic_sum": lambda about: number_recipes.sums(),
}
