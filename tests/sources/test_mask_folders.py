import pickle

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.mask_folders import MaskFolders


def write(path, rows, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, dtype=np.uint8)).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two images; in the second, the objects a (left, 2 x 3) and b (right) share one pixel."""
    write(tmp_path / "one" / "images" / "one.png", np.zeros((2, 2)))
    write(tmp_path / "one" / "masks" / "m.png", [[255, 0], [0, 0]])
    write(tmp_path / "two" / "images" / "two.png", np.zeros((4, 6)))
    a, b = np.zeros((2, 4, 6))
    a[1:3, 0:3] = 255
    b[1:4, 2:5] = 1
    write(tmp_path / "two" / "masks" / "a.png", a)
    write(tmp_path / "two" / "masks" / "b.png", b)
    (tmp_path / "two" / "masks" / "notes.txt").write_text("no mask")
    (tmp_path / "two" / ".cache").mkdir()
    return tmp_path


def test_a_union_has_one_class_for_all_objects(folder):
    source = MaskFolders(folder)
    assert source.classes == ("background", "object")
    assert len(source) == 2
    assert source[1] == {"path": str(folder / "two" / "images" / "two.png")}
    assert source.describe(1) == str(folder / "two" / "images" / "two.png")
    assert source.read_mask(0).tolist() == [[1, 0], [0, 0]]
    expected = [[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 0]]
    assert source.read_mask(1).tolist() == expected
    assert source.read_mask(1).dtype == np.uint8


def test_of_instances_that_overlap_the_later_wins(folder):
    source = MaskFolders(folder, merge="instances")
    assert source.classes == ("background", "object 1", "object 2")
    expected = [[0, 0, 0, 0, 0, 0], [1, 1, 2, 2, 2, 0], [1, 1, 2, 2, 2, 0], [0, 0, 2, 2, 2, 0]]
    assert source.read_mask(1).tolist() == expected


def test_pixels_that_two_objects_share_are_counted(folder):
    source = MaskFolders(folder)
    assert [source.overlaps(0), source.overlaps(1)] == [0, 2]


def test_a_border_is_where_an_object_ends(tmp_path):
    # Object a fills columns 0 to 3 down to the picture's edge, b columns 4 to 8 of the upper five rows.
    a, b = np.zeros((2, 7, 10))
    a[:, :4] = b[:5, 4:9] = 255
    write(tmp_path / "x" / "images" / "x.png", a)
    write(tmp_path / "x" / "masks" / "1.png", a)
    write(tmp_path / "x" / "masks" / "2.png", b)
    source = MaskFolders(tmp_path, merge="border")
    assert source.classes == ("background", "inside", "border")
    upper, last_of_b, below_b = [1, 1, 1, 2, 2, 1, 1, 1, 2, 0], [1, 1, 1, 2, 2, 2, 2, 2, 2, 0], [1, 1, 1, 2, *[0] * 6]
    assert source.read_mask(0).tolist() == [*[upper] * 4, last_of_b, below_b, below_b]


def test_a_touching_border_is_only_where_objects_meet(tmp_path):
    a, b = np.zeros((2, 3, 10))
    a[:, 1:4] = b[:, 4:9] = 255
    write(tmp_path / "x" / "images" / "x.png", a)
    write(tmp_path / "x" / "masks" / "1.png", a)
    write(tmp_path / "x" / "masks" / "2.png", b)
    row = [0, 1, 1, 2, 2, 1, 1, 1, 1, 0]
    assert MaskFolders(tmp_path, merge="touching").read_mask(0).tolist() == [row] * 3
    wider = [0, 1, 2, 2, 2, 2, 1, 1, 1, 0]
    assert MaskFolders(tmp_path, merge="touching", border_width=2).read_mask(0).tolist() == [wider] * 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_a_binary_mask_may_be_saved_in_any_mode(tmp_path, mode):
    write(tmp_path / "x" / "images" / "x.png", np.zeros((2, 2)))
    write(tmp_path / "x" / "masks" / "m.png", [[0, 255], [255, 0]], mode)
    assert MaskFolders(tmp_path).read_mask(0).tolist() == [[0, 1], [1, 0]]


def test_an_object_may_fill_its_image_or_be_empty(tmp_path):
    write(tmp_path / "x" / "images" / "x.png", np.zeros((2, 2)))
    write(tmp_path / "x" / "masks" / "1.png", np.full((2, 2), 255))
    write(tmp_path / "x" / "masks" / "2.png", np.zeros((2, 2)))
    assert MaskFolders(tmp_path, merge="instances").read_mask(0).tolist() == [[1, 1], [1, 1]]


def test_class_counts_are_pixels(folder):
    assert MaskFolders(folder).class_counts(np.array([0, 1])).tolist() == [3 + 11, 1 + 13]


def test_the_source_pickles(folder):
    source = pickle.loads(pickle.dumps(MaskFolders(folder, merge="instances")))
    assert source.read_mask(1).max() == 2


def test_a_mask_of_another_size_is_told_with_both_files(folder):
    write(folder / "two" / "masks" / "b.png", np.zeros((6, 4)))
    with pytest.raises(DataError, match=r"masks/b.png  the mask has another size") as caught:
        MaskFolders(folder).read_mask(1)
    mistake = caught.value.mistakes[0]
    assert mistake.expected == f"(4, 6), height and width of {folder / 'two' / 'images' / 'two.png'}"
    assert mistake.received == "(6, 4)"


def test_a_mask_that_is_not_binary_is_told_with_its_values(folder):
    write(folder / "one" / "masks" / "m.png", [[255, 0], [17, 3]])
    with pytest.raises(DataError, match=r"m.png  the mask is not binary\n.*\n  received 4 values: 0, 3, 17, 255\n"):
        MaskFolders(folder).read_mask(0)


def test_a_damaged_mask_is_told(folder):
    path = folder / "one" / "masks" / "m.png"
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match=r"m.png  the mask cannot be read: "):
        MaskFolders(folder).read_mask(0)


def test_a_mask_that_has_gone_since_the_listing_is_told(folder):
    source = MaskFolders(folder)
    (folder / "one" / "masks" / "m.png").unlink()
    with pytest.raises(DataError, match=r"m.png  no such mask file"):
        source.read_mask(0)


def test_all_folders_that_lack_something_are_told_together(folder):
    write(folder / "three" / "images" / "a.png", np.zeros((2, 2)))
    write(folder / "three" / "images" / "b.png", np.zeros((2, 2)))
    write(folder / "four" / "images" / "a.png", np.zeros((2, 2)))
    (folder / "five").mkdir()
    write(folder / "six" / "images" / "a.png", np.zeros((2, 2)))
    (folder / "six" / "masks").mkdir()
    (folder / "six" / "masks" / "a.npy").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        MaskFolders(folder)
    told = [(m.where.removeprefix(f"{folder}/"), m.message, m.received) for m in caught.value.mistakes]
    assert told == [
        ("five/images", "one image is needed", "no image"),
        ("four/masks", "the image has no masks", None),
        ("six/masks", "the image has no masks", None),
        ("three/images", "one image is needed", "2 images"),
    ]


def test_an_image_whose_folder_of_masks_is_empty_is_background_and_counted(folder, caplog):
    write(folder / "none" / "images" / "a.png", np.zeros((2, 3)))
    (folder / "none" / "masks").mkdir()
    source = MaskFolders(folder)
    assert "images without an object, all background: 1, such as" in caplog.text
    assert "none/images/a.png" in caplog.text
    for merge in ("union", "border", "touching", "instances"):
        assert MaskFolders(folder, merge=merge).read_mask(0).tolist() == [[0] * 3] * 2
    assert source.read_mask(1).tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(("name", "message"), [("none", "no such folder"), ("empty", "there are no folders of images")])
def test_a_folder_that_is_missing_or_empty_is_told(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=f"{name}  {message}"):
        MaskFolders(tmp_path / name)


def test_more_objects_than_ids_are_refused_as_instances(tmp_path):
    write(tmp_path / "x" / "images" / "x.png", np.zeros((1, 1)))
    for number in range(256):
        write(tmp_path / "x" / "masks" / f"{number}.png", np.zeros((1, 1)))
    assert MaskFolders(tmp_path).read_mask(0).tolist() == [[0]]
    with pytest.raises(DataError, match=r"x.png  the image has 256 masks"):
        MaskFolders(tmp_path, merge="instances")


def test_a_border_width_without_a_border_is_refused(folder):
    with pytest.raises(ConfigError, match="border_width: `merge: union` has no border"):
        MaskFolders(folder, border_width=2)


@pytest.mark.parametrize("merge", ["union", "instances", "border", "touching"])
@pytest.mark.parametrize("mode", ["L", "1", "I;16"])
def test_masks_of_every_depth_are_merged_alike(tmp_path, merge, mode):
    objects = np.zeros((3, 9, 11), dtype=np.uint8)
    objects[0, 2:5, 1:8] = objects[1, 0:9, 6:11] = 255  # the last is empty
    for folder, depth in (("plain", "L"), ("other", mode)):
        write(tmp_path / folder / "a" / "images" / "a.png", np.zeros((9, 11)))
        for number, mask in enumerate(objects):
            write(tmp_path / folder / "a" / "masks" / f"{number}.png", mask, depth)
    plain, other = (MaskFolders(tmp_path / folder, merge=merge) for folder in ("plain", "other"))
    assert np.array_equal(plain.read_mask(0), other.read_mask(0))
    assert plain.overlaps(0) == other.overlaps(0) == 3 * 2
