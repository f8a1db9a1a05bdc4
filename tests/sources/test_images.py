import pickle
from pathlib import Path

import pytest
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.sources.images import ImagesSource

DIGITS = Path(__file__).parents[2] / "data_samples" / "digits"


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(path)


def test_images_at_any_depth_come_in_alphabetical_order(tmp_path: Path) -> None:
    put(tmp_path / "b.jpg", tmp_path / "a" / "c" / "2.PNG", tmp_path / "a" / "1.png")
    source = ImagesSource(tmp_path)
    assert [source[index] for index in range(len(source))] == [
        {"path": f"{tmp_path}/a/1.png"},
        {"path": f"{tmp_path}/a/c/2.PNG"},
        {"path": f"{tmp_path}/b.jpg"},
    ]
    assert source.describe(2) == f"{tmp_path}/b.jpg"


def test_there_are_neither_labels_nor_classes() -> None:
    source = ImagesSource(DIGITS)
    assert len(source) == 1000
    assert source.labels is None
    assert source.classes is None


def test_hidden_files_and_other_extensions_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "1.png", tmp_path / ".2.png", tmp_path / ".thumbs" / "3.png")
    (tmp_path / "notes.txt").write_text("three")
    assert [sample["path"] for sample in ImagesSource(tmp_path)] == [f"{tmp_path}/1.png"]


def test_a_folder_without_images_is_told_with_what_it_holds(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "README"):
        (tmp_path / name).write_text("no picture")
    with pytest.raises(DataError, match="the folder holds no image") as told:
        ImagesSource(tmp_path)
    assert "2 of .txt, 1 of no extension" in str(told.value)
    assert str(tmp_path) in str(told.value)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        ImagesSource(tmp_path / "none")


def test_a_thousand_paths_pickle_small_and_whole() -> None:
    source = ImagesSource(DIGITS)
    pickled = pickle.dumps(source)
    assert pickle.loads(pickled)[999] == source[999]
    assert len(pickled) < 40_000
