import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.splits import split_source

DIGITS = Path(__file__).parents[2] / "data_samples" / "digits"


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(path)


def test_the_sample_digits_are_a_hundred_of_each_class() -> None:
    source = ImageFolderSource(DIGITS)
    assert source.classes == tuple("0123456789")
    assert np.bincount(source.labels).tolist() == [100] * 10
    assert source.labels.dtype == np.int64
    assert source[250]["label"] == 2
    assert Path(source[250]["path"]).parent == DIGITS / "2"


def test_images_are_found_at_any_depth_in_sorted_order(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "b" / "2.PNG", tmp_path / "cat" / "a.jpg", tmp_path / "ant" / "c.bmp")
    source = ImageFolderSource(tmp_path)
    assert source.classes == ("ant", "cat")
    assert [source[index] for index in range(len(source))] == [
        {"path": f"{tmp_path}/ant/c.bmp", "label": 0},
        {"path": f"{tmp_path}/cat/a.jpg", "label": 1},
        {"path": f"{tmp_path}/cat/b/2.PNG", "label": 1},
    ]
    assert source.describe(2) == f"{tmp_path}/cat/b/2.PNG"


def test_hidden_files_and_other_extensions_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "1.png", tmp_path / "cat" / ".2.png", tmp_path / "cat" / ".thumbs" / "1.png")
    put(tmp_path / ".git" / "1.png")
    (tmp_path / "cat" / "notes.txt").write_text("two")
    assert [sample["path"] for sample in ImageFolderSource(tmp_path)] == [f"{tmp_path}/cat/1.png"]


def test_a_link_that_leads_back_is_not_followed_and_others_are(tmp_path: Path) -> None:
    put(tmp_path / "data" / "cat" / "1.png", tmp_path / "more" / "2.png")
    (tmp_path / "data" / "cat" / "again").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "cat" / "more").symlink_to(tmp_path / "more")
    source = ImageFolderSource(tmp_path / "data")
    assert [Path(source[index]["path"]).name for index in range(len(source))] == ["1.png", "2.png"]


def test_classes_choose_the_folders_and_their_order(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", tmp_path / "b" / "2.png", tmp_path / "c" / "3.png")
    source = ImageFolderSource(tmp_path, classes=["c", "a"])
    assert source.classes == ("c", "a")
    assert source.labels.tolist() == [0, 1]
    assert source[0]["path"].endswith("c/3.png")


def test_a_class_that_does_not_exist_suggests_the_nearest(tmp_path: Path) -> None:
    put(tmp_path / "tiger" / "1.png")
    with pytest.raises(
        DataError, match=r"no class folder 'tigre'\n  expected one of: tiger\n  fix: did you mean 'tiger'"
    ):
        ImageFolderSource(tmp_path, classes=["tigre"])


@pytest.mark.parametrize(("classes", "message"), [([], "the list is empty"), (["a", "a"], "'a' is named twice")])
def test_classes_must_be_some_and_different(tmp_path: Path, classes: list[str], message: str) -> None:
    put(tmp_path / "a" / "1.png")
    with pytest.raises(ConfigError, match=message):
        ImageFolderSource(tmp_path, classes=classes)


def test_a_class_folder_without_images_says_what_is_in_it(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "1.png")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "1.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"dog  the folder holds no image\n.*\n  received other files: 1 of .npy"):
        ImageFolderSource(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text("x"), "not a folder"),
        (lambda path: path.mkdir(), "no class folders\n.*\n  received an empty folder"),
        (lambda path: put(path / "1.png", path / "2.png"), "no class folders\n.*\n  received 2 files and no folder"),
    ],
)
def test_a_folder_of_another_form_is_an_error_that_names_it(tmp_path: Path, make, message: str) -> None:
    path = tmp_path / "data"
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        ImageFolderSource(path)
    assert str(path) in str(caught.value)


def test_as_columns_gives_paths_and_labels_in_the_order_asked_for() -> None:
    paths, labels = ImageFolderSource(DIGITS).as_columns(np.array([950, 3]))
    assert [Path(path).parent.name for path in paths] == ["9", "0"]
    assert labels.tolist() == [9, 0]


def test_a_pickled_source_is_equal_and_costs_tens_of_bytes_a_sample() -> None:
    source = ImageFolderSource(DIGITS)
    pickled = pickle.dumps(source)
    copy = pickle.loads(pickled)
    assert [copy[index] for index in range(1000)] == [source[index] for index in range(1000)]
    assert len(pickled) < 30 * len(source)


def test_packed_paths_keep_names_that_are_not_utf_8_and_absolute_paths() -> None:
    names = ["é/1.png", "", "bad\udcff.png", "/elsewhere/2.png"]
    packed = PackedPaths("/data", names)
    assert [packed[index] for index in range(4)] == ["/data/é/1.png", "/data/", "/data/bad\udcff.png", names[3]]
    with pytest.raises(IndexError, match="path 4 of 4"):
        packed[4]


def test_whole_classes_are_held_out_by_the_column_class(tmp_path: Path) -> None:
    put(*(tmp_path / name / f"{copy}.png" for name in "abcde" for copy in range(4)))
    source = ImageFolderSource(tmp_path)
    split = split_source(source, SplitConfig(train=0.6, by="group", column="class"), seed=7)
    assert np.bincount(source.labels[split.train], minlength=5).tolist().count(4) == 3
    assert set(source.labels[split.train]).isdisjoint(source.labels[split.val])
    with pytest.raises(ConfigError, match=r"by class, not by 'patient'\n  fix: set `column: class`"):
        source.column("patient")
