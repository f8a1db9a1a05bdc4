import json
import pickle

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.coco_masks import CocoMasks

RECTANGLE = [[1, 2, 4, 2, 4, 5, 1, 5]]  # columns 1 to 3, rows 2 to 4


@pytest.fixture
def document(tmp_path):
    """A picture of 6 rows and 8 columns, and one without annotations; a square and a line that crosses it."""
    (tmp_path / "images" / "sub").mkdir(parents=True)
    Image.new("L", (8, 6)).save(tmp_path / "images" / "a.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "images" / "sub" / "é.png")
    return {
        "info": {"year": 2014, "lists": [1, {"x": "]}"}]},
        "images": [
            {"id": 42, "file_name": "a.png", "height": 6, "width": 8},
            {"id": 7, "file_name": "sub/é.png", "height": 2, "width": 3},
        ],
        "annotations": [
            # row 3, columns 2 to 6: counts down the columns of 6 pixels
            {"id": 1, "image_id": 42, "category_id": 90, "iscrowd": 1, "segmentation": line(), "area": 5},
            {"id": 2, "image_id": 42, "category_id": 3, "iscrowd": 0, "segmentation": RECTANGLE, "area": 9},
        ],
        "categories": [{"id": 90, "name": "line"}, {"id": 3, "name": "Fläche"}, {"id": 11, "name": "unused"}],
    }


def line():
    return {"size": [6, 8], "counts": [15, 1, 5, 1, 5, 1, 5, 1, 5, 1, 8]}


@pytest.fixture
def folder(tmp_path, document):
    write(tmp_path, document)
    return tmp_path


def write(folder, document, **how):
    (folder / "instances.json").write_text(json.dumps(document, **how), encoding="utf-8")


def opened(folder, **arguments):
    return CocoMasks(folder / "instances.json", folder / "images", **arguments)


def test_categories_are_numbered_from_one_in_the_order_of_their_ids(folder):
    source = opened(folder)
    assert source.classes == ("background", "Fläche", "unused", "line")
    assert len(source) == 2
    assert source[0] == {"path": str(folder / "images" / "a.png")}
    assert source.describe(1) == str(folder / "images" / "sub" / "é.png")


def test_the_smaller_object_stays_visible_whatever_the_order(folder):
    expected = [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0, 0, 0],
        [0, 1, 3, 3, 3, 3, 3, 0],
        [0, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    source = opened(folder)
    assert source.read_mask(0).tolist() == expected
    assert source.read_mask(0).dtype == np.uint8
    assert [source.overlaps(0), source.overlaps(1)] == [2, 0]
    assert source.class_counts(np.array([0, 1])).tolist() == [48 - 12 + 6, 7, 0, 5]


def test_an_image_without_annotations_is_background(folder):
    assert opened(folder).read_mask(1).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_crowds_can_be_left_out(folder):
    mask = opened(folder, crowd="skip").read_mask(0)
    assert np.bincount(mask.reshape(-1), minlength=4).tolist() == [39, 9, 0, 0]


def test_classes_can_be_chosen_in_an_order(folder):
    source = opened(folder, classes=["line", "unused"])
    assert source.classes == ("background", "line", "unused")
    assert np.bincount(source.read_mask(0).reshape(-1)).tolist() == [43, 5]


def test_counts_may_be_compressed(tmp_path, document):
    # 15 is code 48 + 15, "?"; then 1 and 5; then seven differences of 0 to the number two places before, and 8 - 5 = 3
    document["annotations"][0]["segmentation"] = {"size": [6, 8], "counts": "?15" + "0" * 7 + "3"}
    write(tmp_path, document)
    assert np.argwhere(opened(tmp_path).read_mask(0) == 3).tolist() == [[3, c] for c in range(2, 7)]


def test_several_polygons_are_one_object(tmp_path, document):
    two = [[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 3, 1, 3, 3, 1, 3]]  # two squares that share one pixel
    document["annotations"] = [{"id": 5, "image_id": 42, "category_id": 3, "segmentation": two}]
    write(tmp_path, document)
    source = opened(tmp_path)
    assert source.read_mask(0)[:4, :4].tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert source.overlaps(0) == 0


@pytest.mark.parametrize(
    "how", [{"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"sort_keys": True}]
)
def test_the_file_may_be_written_in_any_way(tmp_path, document, how):
    write(tmp_path, document, **how)
    source = opened(tmp_path)
    assert source.classes[1] == "Fläche"
    assert source.describe(1).endswith("é.png")
    assert source.read_mask(0)[3].tolist() == [0, 1, 3, 3, 3, 3, 3, 0]


def test_what_is_kept_of_many_annotations_is_small(tmp_path, document):
    document["annotations"] = [
        {"id": n, "image_id": 42, "category_id": 3, "segmentation": RECTANGLE * 20} for n in range(1000)
    ]
    write(tmp_path, document)
    source = opened(tmp_path)
    pickled = pickle.dumps(source)
    assert len(pickled) < 16_000
    assert pickle.loads(pickled).read_mask(0).sum() == 9


def test_images_that_are_not_there_are_told_or_left_out(folder, caplog):
    (folder / "images" / "a.png").unlink()
    with pytest.raises(DataError, match=r"instances.json  there is no file .*images/a.png\n  fix: correct `images`"):
        opened(folder)
    source = opened(folder, unmatched="skip")
    assert len(source) == 1
    assert source.read_mask(0).shape == (2, 3)
    assert "1 images have no file" in caplog.text
    (folder / "images" / "sub" / "é.png").unlink()
    with pytest.raises(DataError, match="there is no file"):
        opened(folder, unmatched="skip")


def test_an_image_of_another_size_than_its_entry_is_told(folder):
    Image.new("L", (6, 8)).save(folder / "images" / "a.png")
    with pytest.raises(DataError, match=r"a.png has another size than its entry .*\n.*\(8, 6\).*\n  received \(6, 8\)"):
        opened(folder).read_mask(0)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([], "there is no outline"),
        (None, "there is no outline"),
        ([[1, 1, 2, 2]], "polygon 1 has 4 numbers"),
        ([*RECTANGLE, [1, 1, 2, 2, 3, 3, 4]], "polygon 2 has 7 numbers"),
        ([[[1, 1], [2, 2], [3, 1]]], "polygon 1 has 6 numbers"),
        ([[1, 1, 2, "x", 3, 3]], "polygon 1 is no list of numbers"),
        ([[1, 1, 2, float("nan"), 3, 3]], "polygon 1 has a point that is no finite number"),
        ([[9, 1, 12, 1, 12, 4]], r"polygon 1 lies outside of the image: from \(9.0, 1.0\) to \(12.0, 4.0\)"),
        ({"size": [8, 6], "counts": [48]}, r"its runs are for the size \[8, 6\]"),
        ({"size": [6, 8]}, "its runs have no counts"),
        ({"size": [6, 8], "counts": [47]}, "the counts sum to 47"),
        ({"size": [6, 8], "counts": "4é"}, "character 2 of the counts is 'é'"),
    ],
)
def test_a_bad_outline_is_told_with_its_annotation(tmp_path, document, segmentation, message):
    document["annotations"].append({"id": 1234, "image_id": 42, "category_id": 3, "segmentation": segmentation})
    write(tmp_path, document)
    source = opened(tmp_path)
    with pytest.raises(DataError, match=r"instances.json  annotation 1234: " + message):
        source.read_mask(0)
    assert source.read_mask(1).shape == (2, 3)


@pytest.mark.parametrize(
    ("key", "item", "message"),
    [
        ("annotations", {"id": 9, "image_id": 1, "category_id": 3}, "annotation 9: there is no image 1"),
        ("annotations", {"id": 9, "image_id": 42, "category_id": 4}, "annotation 9: there is no category 4"),
        ("annotations", {"id": 9, "image_id": 42}, "an item of 'annotations' lacks .*: KeyError: 'category_id'"),
        ("images", {"id": 42, "file_name": "b.png", "height": 1, "width": 1}, "the image 42 is listed twice"),
        ("images", {"id": 43, "file_name": "b.png"}, "an item of 'images' lacks .*: KeyError: 'height'"),
        ("images", 43, "an item of 'images' lacks .*: TypeError"),
        ("categories", {"id": 3, "name": "x"}, "the category 3 is listed twice"),
        ("categories", {"id": 4, "name": "line"}, "the category line is listed twice"),
    ],
)
def test_a_bad_entry_is_told(tmp_path, document, key, item, message):
    document[key].append(item)
    write(tmp_path, document)
    with pytest.raises(DataError, match="instances.json  " + message):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"json:1:1  the file is no JSON object: expected '\{'"),
        ("[1]", r"json:1:1  the file is no JSON object"),
        ('{"images": [],\n "annotations": [{"id"', r"json:2:23  the file is no JSON object"),
        ('{"images": [], "annotations": []}', "there is no list 'categories'"),
        ('{"images": [], "annotations": {}, "categories": []}', "there is no list 'annotations'"),
        ('{"images": [], "annotations": [], "categories": []}', "lists 0 categories"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}]}', "the file lists no images"),
    ],
)
def test_a_file_of_another_form_is_told(tmp_path, text, message):
    (tmp_path / "instances.json").write_text(text)
    with pytest.raises(DataError, match=message):
        opened(tmp_path)


def test_classes_that_are_not_there_are_told(folder):
    with pytest.raises(DataError, match=r"no category 'lime'\n  expected one of: Fläche, unused, line\n.*'line'"):
        opened(folder, classes=["lime"])
    with pytest.raises(ConfigError, match="classes: '.*' is named twice"):
        opened(folder, classes=["line", "line"])


def test_more_categories_than_ids_are_refused(tmp_path, document):
    document["categories"] += [{"id": 100 + n, "name": f"c{n}"} for n in range(253)]
    write(tmp_path, document)
    with pytest.raises(DataError, match="the file lists 256 categories"):
        opened(tmp_path)
    assert len(opened(tmp_path, classes=["line"]).classes) == 2
