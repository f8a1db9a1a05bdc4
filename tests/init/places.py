"""Small folders of data, laid out as people lay them out."""

import csv
from dataclasses import replace

import numpy as np
import yaml
from PIL import Image

from seqtrain.init.detection import Answers
from seqtrain.init.listing import listing_of
from seqtrain.init.recognise import recognise


def picture(path, size=(40, 30), mode="RGB", value=7):
    """Writes a picture of (height, width), of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value if mode != "RGB" else (value, 0, 0)).save(path)


def mask(path, *ids, size=(40, 30)):
    """Writes a gray mask of stripes of some ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.array(ids, np.uint8)[np.arange(size[0]) % len(ids)]
    Image.fromarray(np.repeat(rows[:, None], size[1], axis=1)).save(path)


def table(path, header, rows):
    """Writes a CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)


def found(folder):
    """What a folder is found to be."""
    return recognise(replace(listing_of(folder, folder), written="."))


def sections(folder, number=0, **answers):
    """The likeliest detection, or another one, and its config as data."""
    detection = found(folder)[number]
    used = {"target": detection.suggested.target, "image_size": detection.suggested.image_size} | answers
    return detection, yaml.safe_load(detection.recipe(Answers(**used)).to_yaml("a test"))
