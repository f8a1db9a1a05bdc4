import pickle

import numpy as np
import pytest

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import sources
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volume_slices import VolumeSlices
from seqtrain.splits import split_source
from tests.sources.volumes_on_disk import counted, save_nifti

CLASSES = ["background", "lesion"]


def lesion(shape=(4, 5, 6)):
    """A mask, right-anterior-superior, of one voxel: right, anterior and superior."""
    mask = np.zeros(shape, np.uint8)
    mask[3, 4, 5] = 1
    return mask


@pytest.fixture
def folder(tmp_path):
    save_nifti(tmp_path / "images" / "anna" / "one.nii", counted(), "LPS")
    save_nifti(tmp_path / "labels" / "anna" / "one.nii", lesion(), "SAR")
    save_nifti(tmp_path / "images" / "anna" / "two.nii.gz", counted((4, 5, 3)))
    save_nifti(tmp_path / "labels" / "anna" / "two.nii.gz", lesion((4, 5, 6))[:, :, 3:])
    save_nifti(tmp_path / "images" / "ben" / "one.nii", counted((4, 5, 2)))
    save_nifti(tmp_path / "labels" / "ben" / "one.nii", np.zeros((4, 5, 2), np.uint8))
    return tmp_path


def opened(folder, **arguments):
    folders = {"images": folder / "images", "labels": folder / "labels"}
    return sources.get("volume_slices").build({**folders, "classes": CLASSES, **arguments}, {})


def test_the_slices_of_all_volumes_follow_each_other(folder):
    source = opened(folder)
    assert len(source) == 6 + 3 + 2
    assert source.groups.tolist() == ["anna"] * 9 + ["ben"] * 2
    assert source.column("patient").tolist() == source.groups.tolist()
    assert [source[index]["slice"] for index in range(11)] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 1]
    assert source.describe(7) == f"{folder}/images/anna/two.nii.gz, axial slice 1"
    with pytest.raises(IndexError, match="slice 11 of 11"):
        source[11]


@pytest.mark.parametrize(
    ("plane", "index", "shape"),
    [("axial", 5, (5, 4)), ("coronal", 4, (6, 4)), ("sagittal", 3, (6, 5))],
)
def test_anterior_or_superior_is_at_the_top_of_picture_and_mask(folder, plane, index, shape):
    source = opened(folder, plane=plane, window=(0, 255))
    mask = source.read_mask(index)
    assert mask.shape == shape
    assert mask.dtype == np.uint8
    assert np.argwhere(mask).tolist() == [[0, shape[1] - 1]]  # the right side, or the anterior of a sagittal slice
    picture = source.read_picture(index)
    assert picture.shape == shape
    assert picture.dtype == np.uint8
    assert np.array_equal(np.argwhere(picture == 119), np.argwhere(mask))  # the last voxel of the file
    assert not source.read_mask(index - 1).any()


def test_the_window_becomes_black_to_white(folder):
    source = opened(folder, window=(20, 71))  # 5 of 255 for each unit
    expected = np.clip((counted()[:, :, 2].T[::-1].astype(int) - 20) * 5, 0, 255)
    assert np.array_equal(source.read_picture(2), expected)


def test_percentiles_are_those_of_the_whole_volume(folder):
    low, high = np.percentile(counted(), [10, 90])
    source = opened(folder, percentiles=(10, 90))
    expected = np.clip((counted()[:, :, 2].T[::-1] - low) * 255 / (high - low), 0, 255)
    assert np.abs(source.read_picture(2) - expected).max() <= 0.5 + 1e-3


def test_a_flat_volume_is_black(tmp_path):
    save_nifti(tmp_path / "a.nii", np.full((4, 5, 6), 300, np.int16))
    assert not VolumeSlices(VolumeFiles(tmp_path)).read_picture(0).any()


def test_slices_of_another_spacing_are_as_many_as_that_needs(folder):
    source = opened(folder, spacing_mm=(2.5, 1.5, 2.0), window=(0, 255))
    assert len(source) == 12 + 6 + 4
    assert source.read_picture(0).shape == source.read_mask(0).shape == (10, 4)
    assert source.read_mask(11).sum() == 2


def test_pixels_of_each_class_are_counted(folder):
    assert opened(folder).class_counts(np.arange(11)).tolist() == [11 * 20 - 2, 2]


def test_without_masks_each_slice_has_the_label_of_its_volume(folder):
    (folder / "t.csv").write_text("volume,patient,diagnosis\nanna/two,anna,sick\nben/one,ben,healthy\n")
    source = VolumeSlices(VolumeFiles(folder / "images", table=folder / "t.csv", label_column="diagnosis"))
    assert source.classes == ("healthy", "sick")
    assert source.labels.tolist() == [1, 1, 1, 0, 0]
    assert opened(folder).labels is None


@pytest.mark.parametrize("by", ["random", "ordered"])
def test_slices_of_one_patient_on_both_sides_are_refused(folder, by):
    with pytest.raises(DataError, match="patient 'anna' is on both sides of the split"):
        split_source(opened(folder), SplitConfig(train=0.5, by=by), seed=7)


def test_a_split_by_group_keeps_each_patient_on_one_side(folder):
    source = opened(folder)
    split = split_source(source, SplitConfig(train=0.8, by="group"), seed=7)
    assert {len(split.train), len(split.val)} == {9, 2}
    assert not set(source.groups[split.train]) & set(source.groups[split.val])


def test_an_ordered_split_between_patients_is_taken(folder):
    split = split_source(opened(folder), SplitConfig(train=9 / 11, by="ordered"), seed=7)
    assert (len(split.train), len(split.val)) == (9, 2)


def test_ranges_that_are_none_are_refused(folder):
    with pytest.raises(ConfigError, match="percentiles: the volumes are scaled by window already"):
        opened(folder, window=(0, 1), percentiles=(0, 100))
    with pytest.raises(ConfigError, match="window: 5 is not below 5"):
        opened(folder, window=(5, 5))


def test_the_source_pickles_small_and_reads_on(folder):
    source = opened(folder)
    picture = source.read_picture(7)
    pickled = pickle.dumps(source)
    assert len(pickled) < 10_000
    assert np.array_equal(pickle.loads(pickled).read_picture(7), picture)
