from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.sources.image_manifest import ImageManifestSource

PHOTOS = Path(__file__).parents[2] / "data_samples" / "photos" / "manifest.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (2, 2)).save(tmp_path / name)
    return tmp_path


def write(folder: Path, text: str | bytes) -> Path:
    manifest = folder / "manifest.csv"
    manifest.write_bytes(text.encode() if isinstance(text, str) else text)
    return manifest


def test_the_sample_photos_have_two_classes_and_twelve_groups() -> None:
    source = ImageManifestSource(PHOTOS)
    assert source.classes == ("china", "flower")
    assert np.bincount(source.labels).tolist() == [60, 60]
    assert len(set(source.column("group"))) == 12
    assert source[0] == {"path": str(PHOTOS.parent / "china_0_0.jpg"), "label": 0}


def test_class_names_are_numbered_in_alphabetical_order(folder: Path) -> None:
    source = ImageManifestSource(write(folder, "path,label\na.png,dog\nb.png,cat\nc.png,dog\n"))
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [1, 0, 1]


def test_whole_numbers_are_class_indices(folder: Path) -> None:
    source = ImageManifestSource(write(folder, "path,label\na.png,2\nb.png,0\nc.png,2\n"))
    assert source.labels.tolist() == [2, 0, 2]
    assert source.classes == ("0", "1", "2")


def test_other_numbers_are_targets_without_classes(folder: Path) -> None:
    source = ImageManifestSource(write(folder, "path,label\na.png,1.5\nb.png,-2\nc.png,1e3\n"))
    assert source.labels.tolist() == [1.5, -2.0, 1000.0]
    assert source.classes is None
    assert source[1]["label"] == -2.0


def test_the_target_can_be_said_instead_of_guessed(folder: Path) -> None:
    manifest = write(folder, "path,label\na.png,10\nb.png,9\nc.png,10\n")
    assert ImageManifestSource(manifest, target="class").classes == ("10", "9")
    assert ImageManifestSource(manifest, target="float").labels.tolist() == [10.0, 9.0, 10.0]
    assert ImageManifestSource(manifest, target="index").classes == tuple(map(str, range(11)))


def test_whole_numbers_too_large_for_classes_must_be_explained(folder: Path) -> None:
    manifest = write(folder, "path,label\na.png,1\nb.png,1980\nc.png,2\n")
    with pytest.raises(DataError, match=r"manifest.csv:3  the label 1980 can hardly be .* 3 rows\n  fix: set `target`"):
        ImageManifestSource(manifest)


def test_columns_are_chosen_by_name_and_paths_start_at_root(folder: Path, tmp_path_factory) -> None:
    elsewhere = write(tmp_path_factory.mktemp("tables"), 'file,kind,patient\n"a.png",x,p1\r\n\nb.png, y,p2\n')
    source = ImageManifestSource(elsewhere, path_column="file", label_column="kind", root=folder)
    assert source.describe(1) == str(folder / "b.png")
    assert source.classes == ("x", "y")
    assert source.column("patient").tolist() == ["p1", "p2"]


def test_a_byte_order_mark_is_not_part_of_the_first_column(folder: Path) -> None:
    assert len(ImageManifestSource(write(folder, b"\xef\xbb\xbfpath,label\na.png,x\n"))) == 1


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_may_be_separated_as_spreadsheets_do(folder: Path, separator: str) -> None:
    rows = ["path,label", '"a.png",1,5', "b.png,2,5"]
    table = "\n".join(row.replace(",", separator, 1) for row in rows) + "\n"
    assert ImageManifestSource(write(folder, table)).classes == ("1,5", "2,5")


def test_as_columns_gives_paths_and_labels_in_the_order_asked_for(folder: Path) -> None:
    source = ImageManifestSource(write(folder, "path,label\na.png,0.5\nb.png,1.5\nc.png,2.5\n"))
    paths, targets = source.as_columns(np.array([2, 0]))
    assert paths == [str(folder / "c.png"), str(folder / "a.png")]
    assert targets.tolist() == [2.5, 0.5]


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("", "auto", r"manifest.csv  is empty"),
        ("path,label\n", "auto", r"manifest.csv  has a header and no rows"),
        (
            "path,labels\na.png,x\n",
            "auto",
            r"csv:1  there is no column 'label'\n  expected one of: path, labels\n  fix: did",
        ),
        ("path,label,label\na.png,x,y\n", "auto", r"csv:1  two columns are called 'label'"),
        (
            "path,label\na.png,x\nb.png\n",
            "auto",
            r"csv:3  the row does not have .*\n  expected 2 cells.*\n  received 1",
        ),
        ("path,label\na.png,x,y\n", "auto", r"csv:2  the row does not .*\n  expected 2 cells.*\n  received 3"),
        ("path,label\na.png,x\nb.png,\n", "auto", r"csv:3  the label is empty"),
        ("path,label\n,x\n", "auto", r"csv:2  the path is empty"),
        ("path,label\na.png,1.5\nb.png,NaN\n", "auto", r"csv:3  the label is NaN"),
        ("path,label\na.png,1.5\nb.png,nan\n", "float", r"csv:3  the label is NaN"),
        ("path,label\na.png,inf\n", "float", r"csv:2  the label is infinite"),
        ("path,label\na.png,1.5\nb.png,x\n", "float", r"csv:3  the label is no number.*\n.*a number\n  received 'x'"),
        ("path,label\na.png,-1\n", "index", r"csv:2  the label is no class index\n.*\n  received '-1'"),
        ("path,label\na.png,9999999999999\n", "index", r"csv:2  the label 9999999999999 is no class index"),
        ("path,label\na.png,x\nd.png,x\n", "auto", r"csv:3  no such image file\n  received '.*/d.png'"),
        ('path,label\na.png,"x\n', "auto", r"csv:2  the row cannot be read: unexpected end of data"),
        (b"path,label\na.png,x\nb.png,caf\xe9\n", "auto", r"csv:3  is not text in UTF-8\n  fix: save it"),
    ],
)
def test_a_bad_table_is_an_error_with_its_row(folder: Path, content: str | bytes, target, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ImageManifestSource(write(folder, content), target=target)


def test_an_empty_group_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match=r"csv:2  the patient is empty"):
        ImageManifestSource(write(folder, "path,label,patient\na.png,x,\n")).column("patient")


def test_a_missing_manifest_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match=r"none.csv  no such file"):
        ImageManifestSource(folder / "none.csv")


def test_missing_files_are_all_told(folder: Path) -> None:
    rows = "".join(f"{number}.png,x\n" for number in range(25))
    with pytest.raises(DataError) as caught:
        ImageManifestSource(write(folder, "path,label\n" + rows))
    assert [mistake.where for mistake in caught.value.mistakes] == [
        f"{folder / 'manifest.csv'}:{line}" for line in range(2, 27)
    ]
