from tests.init.places import found, picture, sections


def classes(folder, counts, **how):
    for name, count in counts.items():
        for number in range(count):
            picture(folder / name / f"{number}.jpg", **how)


def test_classes_below_train_beside_val_and_test(tmp_path):
    for side, count in (("train", 8), ("val", 3), ("test", 2)):
        classes(tmp_path / side, {"cat": count, "dog": count})
    detection, config = sections(tmp_path)
    assert (
        detection.kind == "image_folder"
        and config["source"]["path"] == "train"
        and config["split"]["by"] == "stratified"
    )
    assert dict(detection.seen) == {
        "images": "16, 40x30, in colour",
        "classes": "2: cat, dog (8 each)",
        "val/": "6 images, not used for training",
        "test/": "4 images, not used for training",
    }
    assert any(f"source.path={tmp_path / 'val'}" in note for note in detection.notes)


def test_a_folder_in_a_folder_is_entered(tmp_path):
    classes(tmp_path / "PetImages", {"cat": 3, "dog": 3})
    assert sections(tmp_path)[1]["source"]["path"] == "PetImages"


def test_classes_of_unlike_size_are_balanced(tmp_path):
    classes(tmp_path, {"healthy": 12, "ill": 3})
    assert sections(tmp_path)[1]["fit"]["class_weight"] == "balanced"


def test_a_class_of_one_image_cannot_be_stratified(tmp_path):
    classes(tmp_path, {"cat": 5, "dog": 1})
    detection, config = sections(tmp_path)
    assert config["split"]["by"] == "random" and "one image" in " ".join(detection.notes)


def test_folders_without_images_are_no_classes(tmp_path):
    classes(tmp_path, {"cat": 3, "dog": 3})
    (tmp_path / "notes").mkdir()
    assert sections(tmp_path)[1]["source"]["classes"] == ["cat", "dog"]


def test_large_photographs_may_want_transfer_learning(tmp_path):
    classes(tmp_path, {"cat": 2, "dog": 2}, size=(300, 400))
    assert [detection.kind for detection in found(tmp_path)][:2] == ["image_folder", "backbone"]
    # 400 pixels are brought to 224, and the picture to a square with them.
    assert sections(tmp_path)[1]["sequence"]["image_size"] == [224, 224]


def test_the_size_is_the_median_and_a_damaged_file_is_told(tmp_path):
    for number, edge in enumerate([20, 50, 50, 60, 90]):
        picture(tmp_path / "ab"[number % 2] / f"{number}.png", size=(edge, edge), mode="L")
    (tmp_path / "a" / "5.png").write_bytes(b"no image")
    detection, config = sections(tmp_path)
    assert config["sequence"]["image_size"] == [50, 50] and config["sequence"]["color"] == "gray"
    assert detection.notes == ("1 of 6 files looked at cannot be read, such as a/5.png",)


def test_pictures_that_would_be_much_distorted_are_told(tmp_path):
    classes(tmp_path / "one", {"cat": 2, "dog": 2}, size=(30, 40))
    classes(tmp_path / "two", {"cat": 2, "dog": 2}, size=(30, 40))
    picture(tmp_path / "two" / "cat" / "tall.jpg", size=(40, 30))
    assert not sections(tmp_path / "one")[0].notes
    (note,) = sections(tmp_path / "two")[0].notes
    assert "from 0.75 to 1.33" in note and "resize: crop" in note


def test_links_to_class_folders_are_followed_and_rings_are_not(tmp_path):
    classes(tmp_path / "store", {"cat": 3, "dog": 3})
    data = tmp_path / "data"
    data.mkdir()
    for name in ("cat", "dog"):
        (data / name).symlink_to(tmp_path / "store" / name)
    (data / "cat" / "up").symlink_to(tmp_path / "store")
    assert dict(sections(data)[0].seen)["images"].startswith("6,")


def test_what_runs_and_archives_left_behind_is_no_data(tmp_path):
    classes(tmp_path, {"cat": 3, "dog": 3})
    for place in ("runs/config/1/plots", "inspect/config", "__MACOSX/cat", ".cache"):
        picture(tmp_path / place / "x.png")
    assert dict(found(tmp_path)[0].seen)["classes"] == "2: cat, dog (3 each)"


def test_images_alone_are_drawn_again(tmp_path):
    for number in range(5):
        picture(tmp_path / f"{number}.png", size=(100, 128))
    detection, config = sections(tmp_path)
    assert detection.kind == "autoencoder" and config["sequence"]["image_size"] == [64, 64]
