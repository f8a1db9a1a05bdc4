from tests.init.places import picture, sections, table


def test_paths_may_start_from_another_folder_and_columns_have_other_names(tmp_path):
    for number in range(6):
        picture(tmp_path / "photos" / f"{number}.jpg")
    rows = [[f"{number}.jpg", "ab"[number % 2], number // 3] for number in range(6)]
    table(tmp_path / "meta" / "list.csv", ["file", "kind", "patient_id"], rows)
    detection, config = sections(tmp_path)
    assert detection.kind == "image_manifest" and detection.targets == ("kind",)
    assert config["source"] == {
        "name": "image_manifest",
        "manifest": "meta/list.csv",
        "root": "photos",
        "path_column": "file",
        "label_column": "kind",
        "target": "class",
    }
    assert (config["split"]["by"], config["split"]["column"]) == ("group", "patient_id")


def test_numbers_are_predicted_and_few_whole_ones_are_classes(tmp_path):
    for number in range(30):
        picture(tmp_path / f"{number}.png", mode="L")
    rows = [[f"{number}.png", number % 3, 20 + number * 1.5, 100 + 31 * number] for number in range(30)]
    table(tmp_path / "list.csv", ["path", "grade", "age", "weight"], rows)
    kinds = {
        name: (config["source"]["target"], config["compile"]["loss"])
        for name in ("grade", "age", "weight")
        for config in [sections(tmp_path, target=name)[1]]
    }
    classes = "sparse_categorical_crossentropy"
    assert kinds == {"grade": ("index", classes), "age": ("float", "mse"), "weight": ("float", "mse")}


def test_pairs_with_columns_of_other_names(tmp_path):
    for number in range(4):
        picture(tmp_path / f"{number}.png")
    table(tmp_path / "p.csv", ["left", "right", "alike"], [["0.png", "1.png", 1], ["2.png", "3.png", 0]])
    detection, config = sections(tmp_path)
    assert detection.kind == "pair_manifest"
    assert [config["source"][f"{name}_column"] for name in ("path_a", "path_b", "label")] == ["left", "right", "alike"]
