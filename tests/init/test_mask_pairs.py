import pytest

from seqtrain.errors import DataError
from tests.init.places import found, mask, picture, sections


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("JPEGImages", "SegmentationClass"),
        ("img", "ground_truth/../labels"),
        ("train", "train_masks"),
        ("train/images", "train/annotations"),
        ("images/train", "masks/train"),
    ],
)
def test_folders_of_images_and_of_masks(images, masks, tmp_path):
    for number in range(4):
        picture(tmp_path / images / f"{number}.jpg")
        mask(tmp_path / masks / f"{number}.png", 0, 255)
    detection, config = sections(tmp_path)
    assert detection.kind == "image_mask"
    assert config["source"] == {
        "name": "image_mask",
        "images": images,
        "masks": masks.replace("ground_truth/../", ""),
        "classes": ["background", "object"],
    }
    assert config["sequence"]["image_size"] == [32, 16]  # 40x30, to multiples of 16 that a U-Net halves


def test_masks_with_a_suffix_in_a_folder_of_their_own(tmp_path):
    for name in ("a_01", "a_02", "b_01"):
        picture(tmp_path / "train" / f"{name}.jpg")
        mask(tmp_path / "train_masks" / f"{name}_mask.gif", 0, 1)
    source = sections(tmp_path)[1]["source"]
    assert source["mask_suffix"] == "_mask" and "unmatched" not in source


def test_masks_beside_their_images(tmp_path):
    for name in ("cat", "dog", "cow"):
        picture(tmp_path / f"{name}.jpg")
        mask(tmp_path / f"{name}_mask.png", 0, 1, 2)
    detection, config = sections(tmp_path)
    assert config["source"]["images"] == config["source"]["masks"] == "."
    assert config["source"]["mask_suffix"] == "_mask" and config["source"]["unmatched"] == "skip"
    assert config["source"]["classes"] == ["background", "class_1", "class_2"]
    assert dict(detection.seen)["images"].startswith("3,")


def test_255_among_many_ids_does_not_count(tmp_path):
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.jpg")
        mask(tmp_path / "masks" / f"{number}.png", 0, 3, 255)
    detection, config = sections(tmp_path)
    assert config["source"]["ignore"] == 255 and len(config["source"]["classes"]) == 4
    assert "255" in " ".join(detection.notes)


def test_one_mask_with_another_number_does_not_turn_what_is_white_into_what_does_not_count(tmp_path):
    for number in range(10):
        picture(tmp_path / "images" / f"{number}.jpg")
        mask(tmp_path / "masks" / f"{number}.png", 0, 77 if number == 4 else 255)
    detection, config = sections(tmp_path)
    assert config["source"]["classes"] == ["background", "object"] and "ignore" not in config["source"]
    assert "1 of 10 masks hold more than 0 and 255, such as masks/4.png (77)" in " ".join(detection.notes)


def test_masks_that_are_mostly_empty_are_judged_by_those_that_are_not(tmp_path):
    for number in range(20):
        picture(tmp_path / "images" / f"{number}.jpg")
        mask(tmp_path / "masks" / f"{number}.png", *((0, 1, 255) if number < 2 else (0,)))
    _, config = sections(tmp_path)
    assert config["source"]["classes"] == ["background", "class_1"] and config["source"]["ignore"] == 255


def test_validation_folders_are_not_trained_on(tmp_path):
    for side in ("test", "train"):
        for number in range(3):
            picture(tmp_path / side / "images" / f"{number}.jpg")
            mask(tmp_path / side / "masks" / f"{number}.png", 0, 1)
    assert sections(tmp_path)[1]["source"]["images"] == "train/images"


def test_files_without_a_partner_are_left_out_and_told(tmp_path):
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.jpg")
    for number in range(3):
        mask(tmp_path / "masks" / f"{number}.png", 0, 1)
    detection, config = sections(tmp_path)
    assert config["source"]["unmatched"] == "skip" and "1 file" in " ".join(detection.notes)


def test_coloured_masks_are_told_and_not_taken(tmp_path):
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.jpg")
        picture(tmp_path / "masks" / f"{number}.png", value=99)
    with pytest.raises(DataError, match="does not say which class"):
        found(tmp_path)


def test_a_mask_that_cannot_be_read_is_told_beside_the_others(tmp_path):
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.jpg")
        mask(tmp_path / "masks" / f"{number}.png", 0, 255)
    (tmp_path / "masks" / "2.png").write_text("hello")
    detection = found(tmp_path)[0]
    assert detection.kind == "image_mask"
    assert "1 of 4 masks cannot be read, such as masks/2.png" in detection.notes


def test_masks_with_shades_are_no_pictures_to_be_drawn_again(tmp_path):
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.jpg")
        mask(tmp_path / "masks" / f"{number}.jpg", *range(0, 256, 2), size=(128, 64))
    with pytest.raises(DataError, match="shades"):
        found(tmp_path)
