import json

from seqtrain.init.detection import Answers
from tests.init.places import found, mask, picture, sections, table


def test_run_length_codes_beside_images_of_train_and_test(tmp_path):
    for number in range(4):
        picture(tmp_path / "train_images" / f"{number}.jpg")
        picture(tmp_path / "test_images" / f"9{number}.jpg")
    rows = [[f"{number}.jpg", 1 + number % 2, "1 3 10 4"] for number in range(4)]
    table(tmp_path / "train.csv", ["ImageId", "ClassId", "EncodedPixels"], rows)
    detection, config = sections(tmp_path)
    assert detection.kind == "encoded_masks"
    assert config["source"] == {"name": "encoded_masks", "path": "train.csv", "images": "train_images"}


def test_columns_of_codes_with_other_names(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "runs.csv", ["id", "rle"], [[number, "1 3"] for number in range(3)])
    source = sections(tmp_path)[1]["source"]
    assert (source["image_column"], source["runs_column"]) == ("id", "rle")


def test_codes_longer_than_python_s_limit_of_a_cell(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "runs.csv", ["ImageId", "EncodedPixels"], [[number, "1 3 " * 50_000] for number in range(3)])
    assert found(tmp_path)[0].kind == "encoded_masks"


def test_a_coco_file_in_annotations_and_its_images(tmp_path):
    for number in range(3):
        picture(tmp_path / "train2017" / f"{number}.jpg")
    for side in ("val", "train"):
        _coco(tmp_path / "annotations" / f"instances_{side}2017.json", [f"{n}.jpg" for n in range(3)])
    detection, config = sections(tmp_path)
    assert config["source"] == {
        "name": "coco_masks",
        "path": "annotations/instances_train2017.json",
        "images": "train2017",
    }
    assert dict(detection.seen)["classes"] == "3: background, cat, dog"


def test_a_json_of_anything_else_is_passed_over(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.jpg")
    (tmp_path / "settings.json").write_text('{"images": true}')
    assert found(tmp_path)[0].kind == "autoencoder"


def test_a_folder_for_each_image_below_train(tmp_path):
    for side in ("stage1_test", "stage1_train"):
        for number in range(3):
            picture(tmp_path / side / f"i{number}" / "images" / f"i{number}.png")
            for part in range(2):
                mask(tmp_path / side / f"i{number}" / "masks" / f"{part}.png", 0, 255)
    detection = found(tmp_path)[0]
    assert detection.kind == "mask_folders" and dict(detection.seen)["masks"].startswith("6,")
    assert detection.recipe(Answers()).source["path"] == "stage1_train"


def _coco(path, names):
    path.parent.mkdir(exist_ok=True)
    images = [{"id": n, "file_name": name, "height": 40, "width": 30} for n, name in enumerate(names)]
    shapes = [
        {
            "id": n,
            "image_id": n,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": [[1, 1, 9, 1, 9, 9]],
            "bbox": [1, 1, 8, 8],
        }
        for n in range(len(names))
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    path.write_text(json.dumps({"images": images, "annotations": shapes, "categories": categories}))
