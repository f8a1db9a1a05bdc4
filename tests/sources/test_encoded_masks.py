import pickle

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.coco_masks import CocoMasks
from seqtrain.sources.encoded_masks import EncodedMasks
from seqtrain.sources.mask_folders import MaskFolders
from tests.conftest import DATA

SIZE = (3, 4)  # three rows, four columns: pixels 1 to 3 are the first column


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.jpg", "sub/c.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", SIZE[::-1]).save(path)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path


def opened(folder, table, **arguments):
    (folder / "runs.csv").write_bytes(table.encode() if isinstance(table, str) else table)
    return EncodedMasks(folder / "runs.csv", folder / "images", **arguments)


def masks(source):
    return {source[i]["path"].rpartition("/")[2]: source.read_mask(i).tolist() for i in range(len(source))}


PLAIN = "ImageId,EncodedPixels\na,2 4\nb,\nc,12 1\n"


def test_a_table_without_classes_has_objects(folder):
    source = opened(folder, PLAIN)
    assert source.classes == ("background", "object")
    assert [source.describe(i) for i in range(3)] == [
        str(folder / "images" / n) for n in ("a.png", "b.jpg", "sub/c.png")
    ]
    assert masks(source) == {
        "a.png": [[0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]],
        "b.jpg": [[0] * 4] * 3,
        "c.png": [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
    }
    assert source.class_counts(np.arange(3)).tolist() == [31, 5]
    assert source.read_mask(0).dtype == np.uint8


@pytest.mark.parametrize(
    "table",
    [
        "ImageId,EncodedPixels\na.png,2 4\nb.jpg,\nsub/c.png,12 1\n",  # with extensions
        "ImageId,EncodedPixels\n\na,2 4\nc,12 1\n\nb,",  # another order, blank lines, no last newline
        'EncodedPixels,Height,ImageId\r\n"2 4",3,"a"\r\n"",3,"b"\r\n"12 1",3,"c"\r\n',  # quoted, other columns
        b"\xef\xbb\xbfImageId,EncodedPixels\na,2 4\nb,\nc,12 1\n",  # with a byte order mark
        "ImageId,EncodedPixels\na,2 2\nc,12 1\na,4 2\nb,\n",  # rows of an image apart
        "ImageId;EncodedPixels\na;2 4\nb;\nc;12 1\n",  # as spreadsheets save it where the comma is a decimal point
        "ImageId\tEncodedPixels\na\t2 4\nb\t\nc\t12 1\n",
    ],
)
def test_tables_may_be_written_in_many_ways(folder, table):
    assert masks(opened(folder, table)) == masks(opened(folder, PLAIN))


CLASSES = [
    "ImageId_ClassId,EncodedPixels\na_1,2 4\na_3,6 2\nb_1,\nb_3,\nc_1,\nc_3,12 1\n",
    "ImageId_ClassId,EncodedPixels\na.png_1,2 4\na.png_3,6 2\nb.jpg_1,\nc.png_3,12 1\n",
    "ImageId,ClassId,EncodedPixels\na,1,2 4\na,3,6 2\nb,,\nc,3,12 1\n",
    "ClassId,EncodedPixels,ImageId\n1,2 4,a\n3,6 2,a\n1,,b\n3,12 1,c\n",
]
TWO_CLASSES = [[0, 1, 2, 0], [1, 1, 0, 0], [1, 2, 0, 0]]


@pytest.mark.parametrize("table", CLASSES)
def test_classes_may_stand_in_the_id_or_apart(folder, table):
    source = opened(folder, table)
    assert source.classes == ("background", "1", "3")
    assert source.read_mask(0).tolist() == TWO_CLASSES
    assert masks(source)["c.png"][2] == [0, 0, 0, 2]


def test_an_image_id_may_hold_underscores(folder):
    (folder / "images" / "a.png").rename(folder / "images" / "a_1_x.png")
    source = opened(folder, "ImageId_ClassId,EncodedPixels\na_1_x_1,2 4\nb_1,\nc_1,\n")
    assert source.read_mask(0).sum() == 4


def test_named_classes_count_through_the_numbers_of_the_table(folder):
    source = opened(folder, CLASSES[0], classes=["pit", "scratch", "crack"])
    assert source.classes == ("background", "pit", "scratch", "crack")
    assert source.read_mask(0).max() == 3
    from_zero = opened(folder, CLASSES[0].replace("_1,", "_0,").replace("_3,", "_1,"), classes=["pit", "crack"])
    assert from_zero.read_mask(0).tolist() == TWO_CLASSES


def test_classes_that_are_names_keep_them(folder):
    table = "Image_Label,EncodedPixels\na.png_Fish,2 4\na.png_Äpfel,6 2\nb.jpg_Fish,\nc.png_Fish,\n"
    columns = {"image_column": "Image", "class_column": "Label"}
    source = opened(folder, table, **columns)
    assert source.classes == ("background", "Fish", "Äpfel")
    assert source.read_mask(0).tolist() == TWO_CLASSES
    turned = opened(folder, table, classes=["Äpfel", "Fish"], **columns)
    assert turned.classes == ("background", "Äpfel", "Fish")
    assert turned.read_mask(0).tolist() == [[0, 2, 1, 0], [2, 2, 0, 0], [2, 1, 0, 0]]


def test_one_class_can_be_named(folder):
    assert opened(folder, PLAIN, classes=["ship"]).classes == ("background", "ship")


def test_numbers_are_in_the_order_of_numbers(folder):
    source = opened(folder, "ImageId,ClassId,EncodedPixels\na,10,1 1\na,9,2 1\nb,2,\nc,2,\n")
    assert source.classes == ("background", "2", "9", "10")
    assert source.read_mask(0)[:, 0].tolist() == [3, 2, 0]


def test_the_later_row_wins_and_what_it_hides_is_counted(folder):
    source = opened(folder, "ImageId,ClassId,EncodedPixels\na,1,1 6\na,2,4 6\nb,1,\nc,1,\n")
    assert source.read_mask(0).tolist() == [[1, 2, 2, 0]] * 3
    assert [source.overlaps(0), source.overlaps(1)] == [3, 0]


def test_images_can_be_chosen_by_pattern(folder):
    source = opened(folder, "ImageId,EncodedPixels\nc,12 1\n", pattern="sub/*")
    assert len(source) == 1


PAIRS = "pairs of start and length, or a blank cell where there is no object"
ASCENDING = "runs in ascending order that do not overlap"


@pytest.mark.parametrize(
    ("runs", "message", "expected"),
    [
        ("1 2 3", "a number of the runs is missing: there are 3", PAIRS),
        ("0 2", "run 1, '0 2', begins before the first pixel", "starts from 1"),
        ("1 2 12 2", "run 2, '12 2', passes the last pixel", "at most pixel 12, the last of (3, 4)"),
        (
            "5 2 1 2",
            "run 2, '1 2', begins before the run before it ends",
            ASCENDING,
        ),
        ("-1", "a number of the runs is missing: there are 1", PAIRS),  # some tables' word for no object
        ("one 2", "'one' is no whole number", PAIRS),
    ],
)
def test_a_bad_run_is_told_with_its_row_when_it_is_read(folder, runs, message, expected):
    source = opened(folder, f"ImageId,EncodedPixels\n\na,2 4\nb,\nc,1 1\nc,{runs}\n")
    assert source.read_mask(0).sum() == 4
    with pytest.raises(DataError) as caught:
        source.read_mask(2)
    mistake = caught.value.mistakes[0]
    assert (mistake.where, mistake.message, mistake.expected) == (f"{folder / 'runs.csv'}:6", message, expected)
    assert str(folder / "images" / "sub" / "c.png") in mistake.fix


def test_runs_may_fill_the_image_to_its_last_pixel(folder):
    assert opened(folder, "ImageId,EncodedPixels\na,1 12\nb,\nc,\n").read_mask(0).all()


def test_images_without_a_row_and_rows_without_an_image_are_told_together(folder):
    with pytest.raises(DataError) as caught:
        opened(folder, "ImageId,EncodedPixels\na,2 4\nd,1 1\nc,\nd,2 1\n")
    told = [(mistake.where.removeprefix(f"{folder}/"), mistake.message) for mistake in caught.value.mistakes]
    assert told == [
        ("runs.csv:3", f"there is no image 'd' in {folder / 'images'}"),
        ("images/b.jpg", "the image has no row in the table"),
    ]


def test_what_has_no_partner_can_be_skipped_and_is_counted(folder, caplog):
    source = opened(folder, "ImageId,EncodedPixels\nd,1 1\nc,12 1\na,2 4\n", unmatched="skip")
    assert {name: np.sum(mask) for name, mask in masks(source).items()} == {"a.png": 4, "c.png": 1}
    assert "1 images without a row and 1 ids without an image are left out" in caplog.text


def test_nothing_that_matches_is_an_error_even_where_skipping_is_allowed(folder):
    with pytest.raises(DataError, match=r"runs.csv:2  there is no image 'x'"):
        opened(folder, "ImageId,EncodedPixels\nx,1 1\n", unmatched="skip")


def test_at_most_ten_of_each_are_told_and_the_rest_counted(folder):
    rows = "".join(f"x{number},1 1\n" for number in range(25))
    with pytest.raises(DataError) as caught:
        opened(folder, "ImageId,EncodedPixels\n" + rows)
    assert len(caught.value.mistakes) == 10 + 3 + 1
    assert caught.value.mistakes[-1].message == "and 15 more rows or images without a partner"


def test_an_id_that_means_several_images_is_told(folder):
    Image.new("L", (2, 2)).save(folder / "images" / "sub" / "a.png")
    with pytest.raises(DataError, match=r"the id 'a' means several images\n  received a.png, sub/a.png"):
        opened(folder, PLAIN)


def test_ids_with_and_without_extension_are_one_image(folder):
    source = opened(folder, "ImageId,EncodedPixels\na,2 4\na.png,12 1\nb,\nc,\n")
    assert len(source) == 3
    assert source.read_mask(0).sum() == 5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "runs.csv  is empty"),
        ("ImageId,EncodedPixels\n", "runs.csv  has a header and no rows"),
        ("ImageId,Encoded\na,1 1\n", r"csv:1  there is no column 'EncodedPixels'\n  expected one of: ImageId, Encoded"),
        (
            "img,EncodedPixels\na,1 1\n",
            r"csv:1  there is no column 'ImageId'\n.*\n  fix: set `image_column` to one of them",
        ),
        (
            "ImageId,EncodedPixels\na,1 1\nb\n",
            r"csv:3  the row does not have one cell for each column\n  expected 2 cells",
        ),
        (
            "ImageId,EncodedPixels\na,1 1,2 2\n",
            r"csv:2  the row does not have one cell for each column(.|\n)*received 3",
        ),
        ("ImageId,EncodedPixels\n,1 1\n", "csv:2  the row names no image"),
        ("ImageId_ClassId,EncodedPixels\na_,1 1\n", "csv:2  the row names no class"),
        ("ImageId_ClassId,EncodedPixels\na,1 1\n", "csv:2  the row names no image"),
        ("ImageId,ClassId,EncodedPixels\na,1,\nb,,1 1\n", "csv:3  the row names no class"),
    ],
)
def test_a_bad_table_is_told_with_its_row(folder, table, message):
    with pytest.raises(DataError, match=message):
        opened(folder, table)


def test_all_wrong_rows_are_told_in_one_go(folder):
    with pytest.raises(DataError) as caught:
        opened(folder, "ImageId,ClassId,EncodedPixels\na,1,1 1\nb,,2 1\n\n,1,\na,1\n")
    assert [mistake.where.rpartition(":")[2] for mistake in caught.value.mistakes] == ["3", "5", "6"]


def test_runs_are_found_again_beside_cells_that_hold_separators_and_line_breaks(folder):
    table = 'Note,ImageId,EncodedPixels\n"a, b",a,2 4\n"c\nd",b,\n"e ""f""",c,12 1\n'
    assert masks(opened(folder, table)) == masks(opened(folder, PLAIN))


@pytest.mark.parametrize(
    ("table", "classes", "message"),
    [
        (CLASSES[0], ["pit"], r"has the class '3'\n  expected one of: pit"),
        (CLASSES[0], [], "classes: the list is empty"),
        (CLASSES[0], ["pit", "pit"], "classes: 'pit' is named twice"),
        (PLAIN, ["pit", "crack"], r"runs.csv names no classes\n  expected one name\n  received 2"),
        ("ImageId,ClassId,EncodedPixels\na,Fish,1 1\n", ["Bird"], r"has the class 'Fish'\n  expected one of: Bird"),
    ],
)
def test_classes_that_are_not_those_of_the_table_are_told(folder, table, classes, message):
    with pytest.raises(ConfigError, match=message):
        opened(folder, table, classes=classes)


def test_a_table_or_folder_that_is_missing_is_told(folder):
    with pytest.raises(DataError, match="none.csv  no such file"):
        EncodedMasks(folder / "none.csv", folder / "images")
    (folder / "runs.csv").write_text(PLAIN)
    with pytest.raises(DataError, match="none  no such folder"):
        EncodedMasks(folder / "runs.csv", folder / "none")
    with pytest.raises(DataError, match=r"images  the folder holds no image that matches '\*.tif'"):
        EncodedMasks(folder / "runs.csv", folder / "images", pattern="*.tif")


def test_what_is_kept_of_many_rows_is_small_and_their_runs_are_not_looked_at(folder):
    rows = "".join(f"a,not runs {number:0200d}\n" for number in range(5000))
    source = opened(folder, "ImageId,EncodedPixels\nb,1 1\nc,1 1\n" + rows)
    pickled = pickle.dumps(source)
    assert len(pickled) < 100_000
    with pytest.raises(DataError, match=r"runs.csv:4  'not' is no whole number"):
        pickle.loads(pickled).read_mask(0)


def test_the_sample_cells_are_the_same_in_all_three_forms():
    cells = DATA / "cells"
    table = EncodedMasks(cells / "runs.csv", cells, pattern="*/images/*")
    folders, coco = MaskFolders(cells), CocoMasks(cells / "instances.json", cells)
    assert len(table) == len(folders) == len(coco) == 48
    differing = 0
    for index in range(48):
        assert table[index] == folders[index] == coco[index]
        encoded = table.read_mask(index)
        assert np.array_equal(encoded > 0, folders.read_mask(index) > 0)
        differing += np.count_nonzero(encoded != coco.read_mask(index))
    # Polygons of 20 points are a little smaller than ellipses, and another cell is on top where two overlap.
    assert differing < 0.02 * 0.19 * 48 * 64 * 64
