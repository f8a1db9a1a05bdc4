import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.image_mask import IGNORED, ImageMaskSource

IDS = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
NAMES = ["background", "disc", "square"]


def put(folder: Path, name: str, pixels: np.ndarray) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def source(tmp_path: Path, *masks: np.ndarray, classes=NAMES, **arguments) -> ImageMaskSource:
    for number, mask in enumerate(masks):
        put(tmp_path, f"images/{number}.jpg", np.zeros((*mask.shape, 3), np.uint8))
        put(tmp_path, f"masks/{number}.png", mask)
    return ImageMaskSource(tmp_path / "images", tmp_path / "masks", list(classes), **arguments)


def test_images_and_masks_are_matched_by_stem_and_suffix_at_any_depth(tmp_path: Path) -> None:
    for name in ("b", "ward_1/a"):
        put(tmp_path / "images", f"{name}.jpg", IDS)
        put(tmp_path / "masks", f"{name}_mask.png", IDS)
    pairs = ImageMaskSource(tmp_path / "images", tmp_path / "masks", NAMES, mask_suffix="_mask")
    assert [pairs[index] for index in range(len(pairs))] == [
        {"path": str(tmp_path / "images" / f"{name}.jpg"), "mask": str(tmp_path / "masks" / f"{name}_mask.png")}
        for name in ("b", "ward_1/a")
    ]
    assert pairs.describe(1) == str(tmp_path / "images/ward_1/a.jpg")
    assert pairs.mask_names == ("masks", "_mask")


def test_images_and_masks_may_lie_in_one_folder_where_masks_have_a_suffix(tmp_path: Path) -> None:
    for name in ("a.jpg", "a_mask.png", "sub/b.png", "sub/b_mask.png"):
        put(tmp_path, name, np.zeros((2, 2), np.uint8))
    both = ImageMaskSource(tmp_path, tmp_path, ["background", "thing"], mask_suffix="_mask")
    assert both.mask_names == ("", "_mask")  # the folder tells nothing
    found = [both[0], both[1]]
    assert [Path(sample["path"]).name for sample in found] == ["a.jpg", "b.png"]
    assert [Path(sample["mask"]).name for sample in found] == ["a_mask.png", "b_mask.png"]


def test_ids_are_read_as_they_are(tmp_path: Path) -> None:
    mask = source(tmp_path, IDS).read_mask(0)
    assert np.array_equal(mask, IDS)
    assert mask.dtype == np.uint8


@pytest.mark.parametrize("stored", [IDS.astype(np.uint16), IDS.astype(np.uint8)])
def test_16_and_8_bits_give_the_same(tmp_path: Path, stored: np.ndarray) -> None:
    assert source(tmp_path, stored).read_mask(0).tolist() == IDS.tolist()


@pytest.mark.parametrize("white", [255, 1])
def test_with_two_classes_0_and_255_are_0_and_1(tmp_path: Path, white: int) -> None:
    ids = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    masks = source(tmp_path, ids * np.uint8(white), np.zeros((2, 2), np.uint8), np.full((2, 2), white, np.uint8))
    masks = ImageMaskSource(tmp_path / "images", tmp_path / "masks", ["background", "thing"])
    assert [masks.read_mask(index).tolist() for index in range(3)] == [ids.tolist(), [[0, 0], [0, 0]], [[1, 1], [1, 1]]]


def test_ignored_pixels_are_marked_and_do_not_count(tmp_path: Path) -> None:
    stored = np.array([[0, 9, 2], [9, 1, 1]], dtype=np.uint8)
    masks = source(tmp_path, stored, IDS, ignore=9)
    assert masks.read_mask(0).tolist() == [[0, IGNORED, 2], [IGNORED, 1, 1]]
    assert masks.class_counts(np.array([0])).tolist() == [1, 2, 1]
    assert masks.class_counts(np.array([0, 1])).tolist() == [3, 4, 3]
    assert masks.ignored_id == IGNORED
    assert source(tmp_path).ignored_id is None


def test_many_masks_are_counted_and_one_that_cannot_be_read_is_left_out_with_a_warning(tmp_path: Path, caplog) -> None:
    masks = source(tmp_path, *(np.full((1, 3), number % 3, np.uint8) for number in range(200)))
    assert masks.class_counts(np.arange(200)).tolist()[:3] == [3 * 67, 3 * 67, 3 * 66]
    assert masks.class_counts(np.array([], dtype=np.int64)).sum() == 0
    assert not caplog.text
    Path(masks[1]["mask"]).write_bytes(b"broken")
    assert masks.class_counts(np.array([0, 1, 2])).sum() == 6
    assert f"a mask is left out of the class weights: {masks[1]['mask']}" in caplog.text


def test_black_and_white_may_have_ignored_pixels_between(tmp_path: Path) -> None:
    stored = np.array([[0, 128, 255]], dtype=np.uint8)
    assert source(tmp_path, stored, classes=NAMES[:2], ignore=128).read_mask(0).tolist() == [[0, IGNORED, 1]]


@pytest.mark.parametrize(
    ("stored", "classes", "words"),
    [
        ([[0, 1, 7]], NAMES, ["the id 7, which is no class", "0 to 2 (background, disc, square)", "received 0, 1, 7"]),
        ([[0, 1, 255]], NAMES, ["the id 255", "set `ignore: 255`"]),
        ([[0, 1, 255]], NAMES[:2], ["the id 255", "or 0 and 255", "received 0, 1, 255"]),
        ([[0, 128, 255]], NAMES[:2], ["the id 128", "received 0, 128, 255"]),
        ([[3] * 3], NAMES, ["the id 3"]),
    ],
)
def test_an_id_of_no_class_is_told_with_the_file_and_all_that_was_found(tmp_path: Path, stored, classes, words) -> None:
    masks = source(tmp_path, np.array(stored, dtype=np.uint8), classes=classes)
    with pytest.raises(DataError) as refused:
        masks.read_mask(0)
    assert refused.value.mistakes[0].where == str(tmp_path / "masks/0.png")
    for word in words:
        assert word in str(refused.value)


def test_ids_above_255_are_not_wrapped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the id 257"):
        source(tmp_path, np.array([[0, 257]], dtype=np.uint16)).read_mask(0)


def test_a_jpeg_for_a_mask_is_told_to_become_a_png(tmp_path: Path) -> None:
    put(tmp_path, "images/0.jpg", IDS)
    put(tmp_path, "masks/0.jpg", np.kron(np.eye(4, dtype=np.uint8), np.full((5, 5), 255, np.uint8)))
    with pytest.raises(DataError, match="save masks as PNG"):
        source(tmp_path, classes=NAMES[:2]).read_mask(0)


def test_a_file_without_partner_is_an_error_that_names_it_or_is_left_out_with_a_warning(tmp_path: Path, caplog) -> None:
    put(tmp_path, "images/9.jpg", IDS)
    put(tmp_path, "masks/8.png", IDS)
    with pytest.raises(DataError) as refused:
        source(tmp_path, IDS)
    assert {Path(mistake.where).name for mistake in refused.value.mistakes} == {"9.jpg", "8.png"}
    with caplog.at_level(logging.WARNING):
        assert len(source(tmp_path, unmatched="skip")) == 1
    assert "left out, for want of a partner: 2" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": ["thing"]}, "a background and at least one more"),
        ({"classes": ["a", "b", "a"]}, "'a' is named twice"),
        ({"ignore": 2}, "2 is the id of the class 'square'"),
    ],
)
def test_classes_that_cannot_be_are_refused(tmp_path: Path, arguments, message) -> None:
    with pytest.raises(ConfigError, match=message):
        source(tmp_path, IDS, **arguments)


def test_a_pickled_source_is_small_and_reads_the_same(tmp_path: Path) -> None:
    masks = source(tmp_path, *[IDS] * 20)
    copy = pickle.loads(pickle.dumps(masks))
    assert copy[19] == masks[19]
    assert len(pickle.dumps(masks)) < 1500
