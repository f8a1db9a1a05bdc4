"""Which volumes, masks, patients and labels belong together, as folders and tables say."""

import re
from pathlib import Path

import pytest

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.sources import volume_list
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volumes import Volumes
from seqtrain.splits import split_source
from tests.sources.volumes_on_disk import (
    counted,
    masked,
    opened,
    save_nifti,
    table,
    two_scans,
)


@pytest.fixture
def folder(tmp_path):
    return two_scans(tmp_path)


def test_without_masks_the_classes_are_those_of_the_labels(folder):
    listed = table(folder, "volume,patient,diagnosis", "b.nii.gz,p2,sick", "a,p1,healthy")
    source = Volumes(VolumeFiles(folder / "images", table=listed, label_column="diagnosis"))
    assert not source.has_masks
    assert source.classes == source.label_classes == ("healthy", "sick")
    assert source.labels.tolist() == [1, 0]
    assert source.groups.tolist() == ["p2", "p1"]
    assert source[0]["label"] == 1
    with pytest.raises(ConfigError, match="the volumes have no masks"):
        source.read_mask(0)


def test_labels_that_are_numbers_stand_in_the_order_of_the_numbers(folder):
    listed = table(folder, "volume,patient,grade", "a,p1,10", "b,p2,9")
    assert Volumes(VolumeFiles(folder / "images", table=listed, label_column="grade")).label_classes == ("9", "10")


def test_any_column_of_the_table_groups(folder):
    listed = table(folder, "volume,subject,site", "b,p2,X", "a,p1,Y")
    source = opened(folder, table=listed, patient_column="subject")
    assert source.column("subject").tolist() == source.column("patient").tolist() == ["p2", "p1"]
    assert source.column("site").tolist() == ["X", "Y"]
    with pytest.raises(ConfigError, match="have no column 'site'"):
        opened(folder).column("site")


def test_without_a_table_a_folder_is_a_patient(tmp_path):
    for name in ("anna/one.nii", "anna/two.nii", "ben/one.nii", "solo.nii"):
        save_nifti(tmp_path / "images" / name, counted())
    assert Volumes(VolumeFiles(tmp_path / "images")).groups.tolist() == ["anna", "anna", "ben", "solo"]


def test_a_patient_on_both_sides_is_refused_and_a_split_by_group_is_not(tmp_path):
    for patient in "abcdefgh":
        for scan in "12":
            save_nifti(tmp_path / "images" / patient / f"{scan}.nii", counted())
    source = Volumes(VolumeFiles(tmp_path / "images"))
    with pytest.raises(
        DataError, match=r"images  patient '\w' is on both sides of the split(.|\n)*of 8 patients(.|\n)*by: group"
    ):
        split_source(source, SplitConfig(train=0.75, by="random"), seed=7)
    split = split_source(source, SplitConfig(train=0.75, by="group"), seed=7)
    assert len(split.train) == 12
    assert not set(source.groups[split.train]) & set(source.groups[split.val])


def test_masks_may_have_a_suffix_and_volumes_without_masks_may_be_skipped(tmp_path, caplog):
    for name in ("a", "b"):
        save_nifti(tmp_path / "images" / f"{name}.nii", counted())
    save_nifti(tmp_path / "labels" / "a_seg.nii.gz", masked())
    source = opened(tmp_path, label_suffix="_seg", unmatched="skip")
    assert [Path(sample["mask"]).name for sample in source] == ["a_seg.nii.gz"]
    assert source.mask_names == ("labels", "_seg")
    assert f"volumes and masks: left out, for want of a partner: 1, such as {tmp_path}/images/b.nii" in caplog.text
    with pytest.raises(DataError, match=r"b\.nii  the file has no partner 'b_seg\.\*'"):
        opened(tmp_path, label_suffix="_seg")


def test_volumes_may_have_a_suffix_that_their_masks_have_not(tmp_path):
    for name in ("a_0000", "b_0000", "a_0001"):  # the first two channels of a, the first of b
        save_nifti(tmp_path / "images" / f"{name}.nii", counted())
    for name in ("a", "b"):
        save_nifti(tmp_path / "labels" / f"{name}.nii", masked())
    source = opened(tmp_path, image_suffix="_0000")
    assert [Path(sample["volume"]).name for sample in source] == ["a_0000.nii", "b_0000.nii"]
    assert [Path(sample["mask"]).name for sample in source] == ["a.nii", "b.nii"]
    assert len(Volumes(VolumeFiles(tmp_path / "images", image_suffix="_0001"))) == 1
    (tmp_path / "labels" / "b.nii").unlink()
    with pytest.raises(DataError, match=r"b_0000\.nii  the file has no partner 'b\.\*'"):
        opened(tmp_path, image_suffix="_0000")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["volume,patient", "a,p1", "c,p2"], r"patients\.csv:3  there is no volume 'c' in .*images"),
        (["volume,patient", "a,p1", "a.nii,p1"], r"patients\.csv:3  the volume 'a' is named twice"),
        (["volume,patient", "a,", "b,p1"], r"patients\.csv:2  the patient is empty"),
        (["volume,subject", "a,p1"], r"patients\.csv:1  there is no column 'patient'"),
    ],
)
def test_a_bad_row_of_the_table_is_named(folder, rows, message):
    with pytest.raises(DataError, match=message):
        opened(folder, table=table(folder, *rows))


def test_a_row_whose_volume_has_no_mask_says_so(folder):
    (folder / "labels" / "b.nii.gz").unlink()
    with pytest.raises(DataError, match=r"patients\.csv:3  the volume 'b' has no mask in .*labels"):
        opened(folder, table=table(folder, "volume,patient", "a,p1", "b,p2"))


def test_a_table_of_another_data_set_is_refused_without_comparing_all_its_names(folder, monkeypatch):
    compared = []
    monkeypatch.setattr(volume_list, "did_you_mean", lambda stem, found: compared.append(stem))
    rows = [f"scan_{number},p{number}" for number in range(1000)]
    with pytest.raises(DataError, match=r"patients\.csv:11  there is no volume 'scan_9'"):
        opened(folder, table=table(folder, "volume,patient", *rows))
    assert len(compared) == 10


def test_a_folder_without_volumes_and_two_of_one_name_are_named(folder):
    (folder / "none").mkdir()
    with pytest.raises(DataError, match=re.escape(f"{folder / 'none'}  the folder holds no volumes")):
        Volumes(VolumeFiles(folder / "none"))
    save_nifti(folder / "images" / "a.nii.gz", counted())
    with pytest.raises(DataError, match="two volumes are called 'a'"):
        Volumes(VolumeFiles(folder / "images"))
