"""The kinds of data that a config can be written for: the names of `--task` and `--template`, with a line each."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of data.

    Args:
        task: What a model does with it.
        about: What the data looks like, and what is learnt.
    """

    task: str
    about: str


KINDS = {
    "image_folder": Kind("classification", "a folder of images for each class"),
    "backbone": Kind(
        "classification", "images by class, and a network that knows ImageNet (its weights are downloaded)"
    ),
    "image_manifest": Kind("classification", "a CSV of image paths and labels, or numbers to predict"),
    "arrays": Kind("classification", "samples and labels in .npy files or one .npz; or numbers to predict"),
    "hdf5": Kind("classification", "samples and labels in one HDF5 file; or numbers to predict"),
    "csv_pixels": Kind("classification", "pictures as rows of a CSV: a label and the pixels"),
    "volume_classification": Kind("classification", "volumes (.nii, .nii.gz, .npy) and a CSV of their labels"),
    "table": Kind("tabular", "rows of a CSV or Parquet file; one column is predicted from the others"),
    "series": Kind("forecasting", "time series in CSV or Parquet files; what comes next"),
    "ratings": Kind("recommendation", "a CSV of ratings: user, item, rating"),
    "image_mask": Kind("segmentation", "images and one mask each"),
    "mask_folders": Kind("segmentation", "a folder for each image, with a mask file for each object"),
    "encoded_masks": Kind("segmentation", "images and a CSV of run-length codes"),
    "coco_masks": Kind("segmentation", "images and a COCO JSON of outlines"),
    "volume_patches": Kind("segmentation", "volumes with masks, in patches"),
    "volume_slices": Kind("segmentation", "volumes with masks, slice by slice"),
    "pair_manifest": Kind("similarity", "a CSV of pairs of images: the same or different"),
    "siamese_pairs": Kind("similarity", "images by class, compared in pairs: for many classes with few images"),
    "siamese_triplets": Kind("similarity", "images by class, compared in triplets"),
    "autoencoder": Kind("autoencoding", "any images, squeezed through a few numbers and drawn again"),
    "denoising": Kind("autoencoding", "any images, noise to be taken away"),
    "vae": Kind("autoencoding", "any images, to draw new ones like them"),
    "synthetic_sum": Kind("tabular", "no data: two random numbers and their sum, to try things out"),
}

TASKS = tuple(dict.fromkeys(kind.task for kind in KINDS.values()))
