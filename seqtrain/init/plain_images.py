"""Detects images without labels: possible wherever there are images, and suggested last."""

from __future__ import annotations

from collections.abc import Iterator

from seqtrain.init.detection import Answers, Detection
from seqtrain.init.image_sample import ImageSample, sample_images
from seqtrain.init.listing import Listing
from seqtrain.init.recipe import Recipe

_LARGEST = 64  # pixels per side; autoencoders of larger images are slow to train


def plain_images(listing: Listing) -> Iterator[Detection]:
    """Finds images, for an autoencoder."""
    sample = sample_images(listing.root, listing.images) if listing.images else None
    if sample is None:
        return
    for kind in ("autoencoder", "denoising", "vae"):
        yield _detection(kind, listing, sample)


def _detection(kind: str, listing: Listing, sample: ImageSample) -> Detection:
    height, width = sample.image_size(multiple=4)
    size = (min(height, _LARGEST), min(width, _LARGEST))

    def recipe(answers: Answers) -> Recipe:
        source = {"name": "images", "path": listing.path(".")}
        values = {**sample.values(answers.image_size or size), "kind": kind}
        about = f"{sample.count:,} images without labels."
        return Recipe("autoencoding", about, source, sample.batch_size(), values=values)

    seen = (("images", f"{sample.count:,}, {sample.summary()}"), ("labels", "none"))
    return Detection(kind, seen, recipe, Answers(image_size=size), notes=sample.notes())
