"""Configs for pictures: classes or numbers, pairs and triplets, autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from seqtrain.init.detection import Size
from seqtrain.init.recipe import Recipe

_GRAY_WHY = "The pictures are gray. Add `horizontal_flip: 0.5` where left and right do not matter."
_COLOR_WHY = "Training pictures are changed a little, anew in each epoch; drop the flip where left and right matter."


class Pictures(NamedTuple):
    """What the recipes need to know of pictures.

    Args:
        image_size: Height and width in a batch.
        color: "gray" or "rgb".
        batch_size: Samples in a batch.
    """

    image_size: Size = (128, 128)
    color: str = "rgb"
    batch_size: int = 32


class Splitting(NamedTuple):
    """How samples are divided, and whether classes differ much in size.

    Args:
        by: As in the config.
        column: Of the groups.
        is_imbalanced: Whether the largest class is several times the smallest.
    """

    by: str = "stratified"
    column: str | None = None
    is_imbalanced: bool = False


def classification(
    about: str, source: Mapping[str, Any], pictures: Pictures, splitting: Splitting, why: Mapping[str, str]
) -> Recipe:
    """Pictures with a class each, by a small network that starts from nothing."""
    weight = {"fit": "At most so many epochs. The classes differ in size, so the small ones weigh more."}
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "augmented_image", **_batch(pictures), **_augmentation(pictures.color)},
        model={"name": "cnn", "filters": filters(pictures.image_size)},
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        monitor="val_accuracy",
        by=splitting.by,
        column=splitting.column,
        batch_size=pictures.batch_size,
        class_weight="balanced" if splitting.is_imbalanced else None,
        why={"sequence": _sequence_why(pictures.color), **(weight if splitting.is_imbalanced else {}), **why},
    )


def backbone(
    about: str, source: Mapping[str, Any], pictures: Pictures, splitting: Splitting, why: Mapping[str, str]
) -> Recipe:
    """The same by transfer learning."""
    recipe = classification(about, source, pictures, splitting, why)
    model = {"name": "backbone", "backbone": "EfficientNetB0", "weights": "imagenet", "trainable": False}
    told = "What ImageNet taught stays, its head is learnt anew. The weights are downloaded by the first run."
    return replace(recipe, model=model, why={**recipe.why, "model": told})


def regression(about: str, source: Mapping[str, Any], pictures: Pictures, splitting: Splitting) -> Recipe:
    """Pictures with a number each."""
    recipe = classification(about, source, pictures, splitting, {})
    return replace(recipe, loss="mse", metrics=["mae"], monitor="val_mae", class_weight=None)


def similarity(
    about: str, source: Mapping[str, Any], pictures: Pictures, kind: str, held_out: str | None, one_shot: bool
) -> Recipe:
    """Pictures that are compared, in pairs or triplets.

    Args:
        about: See `Recipe`.
        source: See `Recipe`.
        pictures: What they are like.
        kind: "pairs" or "triplets".
        held_out: The column whose groups are held out whole; None for any split.
        one_shot: Whether there are classes enough to judge by one-shot trials.
    """
    judged = "val_one_shot_accuracy" if one_shot else f"val_{kind[:-1]}_accuracy"
    return Recipe(
        about=about,
        source=source,
        sequence={"name": f"image_{kind}", **_batch(pictures), **_augmentation(pictures.color)},
        model={"name": "siamese", "filters": filters(pictures.image_size), "embedding_size": 64},
        loss="contrastive" if kind == "pairs" else "triplet",
        metrics=["pair_accuracy" if kind == "pairs" else "triplet_accuracy"],
        monitor=judged,
        by="group" if held_out else "random",
        column=held_out,
        batch_size=pictures.batch_size,
        callbacks=("one_shot",) if one_shot else (),
        why={
            "sequence": _sequence_why(pictures.color),
            "split": "Four in five classes train; the others are new to the model when it is judged."
            if held_out == "class"
            else "Whole groups are held out."
            if held_out
            else "Four in five pairs train; those that share a picture with validation are left out.",
        },
    )


def autoencoding(about: str, source: Mapping[str, Any], pictures: Pictures, kind: str) -> Recipe:
    """Pictures drawn again: "autoencoder", "denoising" or "vae"."""
    noise = {"noise": {"name": "gaussian", "scale": 0.3}} if kind == "denoising" else {}
    layers = {"filters": [32, 64], "latent_size": 16 if kind == "vae" else 32}
    return Recipe(
        about=about,
        source=source,
        sequence={"name": "autoencoder", **_batch(pictures), **noise},
        model={"name": "vae" if kind == "vae" else "autoencoder", **layers},
        loss="binary_crossentropy" if kind == "vae" else "mse",
        metrics=["mse"] if kind == "vae" else ["mae"],
        batch_size=pictures.batch_size,
        callbacks=({"reconstructions": {"every": 5}},),
        why={
            "model": "`latent_size` is how many numbers a picture goes through.",
            "callbacks": "Inputs and outputs are drawn into plots/; training stops when nothing gets better.",
        },
    )


def filters(image_size: Size) -> list[int]:
    """A block for each halving that leaves a few pixels."""
    edge = min(image_size)
    return [16, 32] if edge < 48 else [16, 32, 64] if edge < 112 else [16, 32, 64, 128]


def _batch(pictures: Pictures) -> dict[str, Any]:
    return {"image_size": list(pictures.image_size), "color": pictures.color}


def _augmentation(color: str) -> dict[str, float]:
    small: dict[str, float] = {"rotation": 10, "shift": 0.05, "zoom": 0.1}
    return small if color == "gray" else {"horizontal_flip": 0.5, **small}


def _sequence_why(color: str) -> str:
    return _GRAY_WHY if color == "gray" else _COLOR_WHY
