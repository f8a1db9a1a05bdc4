import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.registry import sources
from seqtrain.sources.arrays import Arrays
from seqtrain.sources.csv_pixels import CsvPixels
from seqtrain.sources.fingerprint import fingerprint
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.image_manifest import ImageManifestSource
from seqtrain.sources.image_mask import ImageMaskSource
from seqtrain.sources.ratings import Ratings
from seqtrain.sources.synthetic_sum import SyntheticSum
from seqtrain.sources.user_source import as_source


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "first" / "pictures"
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(folder / name)
    return folder


def of_folder(path, **arguments):
    return fingerprint(ImageFolderSource(path, **arguments), {"path": path})


def test_a_folder_that_was_copied_elsewhere_at_another_time_is_the_same_data(pictures, tmp_path):
    before = of_folder(pictures)
    elsewhere = tmp_path / "another" / "place"
    shutil.copytree(pictures, elsewhere)
    os.utime(elsewhere / "cat" / "1.png", (1, 1))
    assert of_folder(elsewhere) == before


def test_a_folder_of_one_class_may_be_elsewhere_too(pictures, tmp_path):
    before = of_folder(pictures, classes=["cat"])
    shutil.move(pictures, tmp_path / "b")
    assert of_folder(tmp_path / "b", classes=["cat"]) == before


def change_name(folder):
    (folder / "cat" / "1.png").rename(folder / "cat" / "3.png")


def change_class(folder):
    (folder / "cat" / "2.png").rename(folder / "dog" / "2.png")


def change_class_name(folder):
    (folder / "dog").rename(folder / "fox")


def change_size(folder):
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(folder / "cat" / "1.png")


def remove(folder):
    (folder / "cat" / "1.png").unlink()


def add(folder):
    Image.new("L", (4, 4)).save(folder / "cat" / "0.png")


@pytest.mark.parametrize("change", [change_name, change_class, change_class_name, change_size, remove, add])
def test_a_changed_folder_is_other_data(pictures, change):
    before = of_folder(pictures)
    change(pictures)
    assert of_folder(pictures) != before


def test_another_order_of_classes_is_other_data(pictures):
    assert of_folder(pictures, classes=["cat", "dog"]) == of_folder(pictures)
    assert of_folder(pictures, classes=["dog", "cat"]) != of_folder(pictures)


def test_a_manifest_with_absolute_paths_may_be_elsewhere_and_another_label_is_other_data(pictures, tmp_path):
    def written(folder, name, label="b"):
        path = tmp_path / name
        rows = f"{folder}/cat/1.png,a\n{folder}/dog/1.png,{label}\n{folder}/cat/2.png,a\n"
        path.write_text("path,label\n" + rows)
        return fingerprint(ImageManifestSource(path), {"manifest": path})

    before, relabelled = written(pictures, "a.csv"), written(pictures, "b.csv", label="a")
    shutil.move(pictures, tmp_path / "moved")
    assert written(tmp_path / "moved", "a_longer_name.csv") == before != relabelled


def of_arrays(folder, x, y):
    folder.mkdir()
    arguments = {"x": folder / "x.npy", "y": folder / "y.npy"}
    np.save(arguments["x"], x)
    np.save(arguments["y"], y)
    return fingerprint(Arrays(**arguments), arguments)


def test_arrays_are_known_by_their_shapes_dtypes_and_labels(tmp_path):
    x, y = np.zeros((3, 2), np.float32), np.array([0, 1, 1])
    before = of_arrays(tmp_path / "a", x, y)
    assert of_arrays(tmp_path / "b", x, y) == before
    others = [(x.reshape(3, 2, 1), y), (x.astype(np.int32), y), (x, np.array([1, 0, 1])), (x, y.astype(np.int32))]
    found = {of_arrays(tmp_path / f"other{number}", *other) for number, other in enumerate(others)}
    assert len(found | {before}) == 5


def test_labels_that_were_read_for_it_are_not_kept(tmp_path):
    of_arrays(tmp_path / "a", np.zeros((2, 1)), np.array([0, 1]))
    source = Arrays(tmp_path / "a" / "x.npy", tmp_path / "a" / "y.npy")
    fingerprint(source, {})
    assert "labels" not in vars(source)


def test_a_table_is_known_by_its_size_and_labels(tmp_path):
    def of(text):
        path = tmp_path / "t.csv"
        path.write_text(text)
        return fingerprint(CsvPixels(path, image_size=(1, 2)), {"path": path})

    assert len({of("0,1,2\n1,3,4\n"), of("0,1,2\n0,3,4\n"), of("0,1,2\n1,3,40\n")}) == 3
    assert of("0,1,2\n1,3,4\n") == of("0,1,2\n1,3,4\n")


def test_ratings_are_known_by_users_and_ratings(tmp_path):
    def of(text):
        path = tmp_path / "u.csv"
        path.write_text("userId,movieId,rating\n" + text)
        return fingerprint(Ratings(path), {"path": path})

    assert len({of("1,1,3\n2,1,4\n"), of("1,1,3\n1,1,4\n"), of("1,1,3\n2,1,5\n"), of("1,1,3\n2,1,4\n2,2,2\n")}) == 4


def test_made_up_samples_are_known_by_their_number():
    assert fingerprint(SyntheticSum(8, seed=0), {}) == fingerprint(SyntheticSum(8, seed=0), {})
    assert fingerprint(SyntheticSum(8, seed=0), {}) != fingerprint(SyntheticSum(9, seed=0), {})


DATA = Path(__file__).parents[2] / "data_samples"
VOLUMES = {"images": "volumes/images", "labels": "volumes/labels", "classes": ["ground", "brain", "lesion"]}
OF_SEVERAL_FILES = [  # source, its arguments with paths below `data_samples`, and one of its files
    (
        "image_mask",
        {"images": "shapes/images", "masks": "shapes/masks", "classes": ["ground", "disc", "square"]},
        "shapes/masks/003.png",
    ),
    ("mask_folders", {"path": "cells"}, "cells/cell_00/masks/1.png"),
    ("encoded_masks", {"path": "cells/runs.csv", "images": "cells", "pattern": "*/images/*"}, "cells/runs.csv"),
    ("coco_masks", {"path": "cells/instances.json", "images": "cells"}, "cells/instances.json"),
    ("volumes", VOLUMES, "volumes/labels/scan_01.nii"),
    ("volume_slices", VOLUMES, "volumes/labels/scan_01.nii"),
    ("volume_slices", VOLUMES, "volumes/images/scan_01.nii"),
    ("series", {"path": "power", "target": "load_mw", "window": 8, "horizon": 2}, "power/ferry.csv"),
    ("pair_manifest", {"manifest": "glyphs/pairs.csv"}, "glyphs/pairs.csv"),
    ("pair_manifest", {"manifest": "glyphs/pairs.csv"}, "glyphs/character_00/1.png"),
]


@pytest.mark.parametrize(("name", "arguments", "changed"), OF_SEVERAL_FILES, ids=[case[2] for case in OF_SEVERAL_FILES])
def test_masks_tables_and_partners_are_looked_at_besides_the_images(name, arguments, changed, tmp_path):
    def of(folder):
        made = {
            key: folder / value if key in ("images", "masks", "labels", "path", "manifest") else value
            for key, value in arguments.items()
        }
        return fingerprint(sources.get(name).build(made, {}), made)

    folder = tmp_path / "copy" / "elsewhere"
    shutil.copytree(DATA / changed.split("/")[0], folder / changed.split("/")[0])
    before = of(DATA)
    assert of(folder) == before
    file = folder / changed
    file.write_bytes(file.read_bytes() + b"\n")
    assert of(folder) != before


def test_masks_of_other_names_are_other_data(tmp_path):
    def of(extension):
        folder = tmp_path / extension
        for kind, ending in (("images", "png"), ("masks", extension)):
            (folder / kind).mkdir(parents=True)
            Image.new("L", (4, 4)).save(folder / kind / f"1.{ending}", "png")
        made = {"images": folder / "images", "masks": folder / "masks"}
        return fingerprint(ImageMaskSource(**made, classes=["ground", "thing"]), made)

    assert of("png") != of("bmp")


class OfAUser:
    """Has next to nothing of what a source may have."""

    def __init__(self, labels):
        self.labels = labels

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise AssertionError("a sample was read")


def test_a_users_own_source_is_known_by_its_labels_whatever_they_are():
    lists = ([0, 1], [1, 0], ["a", "b"], np.array(["a", None], dtype=object))
    assert len({fingerprint(as_source(OfAUser(labels)), {}) for labels in lists}) == 4
