import json

import numpy as np
import pytest

from seqtrain.errors import DataError
from tests.init.places import found, sections, table


def volume(path, *ids):
    nibabel = pytest.importorskip("nibabel")
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.array(ids, np.int16)[np.arange(16 * 16 * 16).reshape(16, 16, 16) % len(ids)]
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), path)


def test_the_decathlon_s_folders_and_the_names_of_its_classes(tmp_path):
    for number in range(3):
        volume(tmp_path / "imagesTr" / f"liver_{number}.nii.gz", 5, 90)
        volume(tmp_path / "labelsTr" / f"liver_{number}.nii.gz", 0, 1, 2)
        volume(tmp_path / "imagesTs" / f"liver_9{number}.nii.gz", 5)
    names = {"0": "background", "1": "liver", "2": "cancer"}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
    detection, config = sections(tmp_path)
    assert detection.kind == "volume_patches"
    assert config["source"] == {
        "name": "volumes",
        "images": "imagesTr",
        "labels": "labelsTr",
        "classes": ["background", "liver", "cancer"],
    }
    assert config["sequence"]["patch_size"] == [16, 16, 16]
    assert dict(detection.seen)["volumes"] == "3, 16x16x16, spacing 3x2x2 mm"


def test_volumes_without_a_mask_are_told(tmp_path):
    for number in range(4):
        volume(tmp_path / "images" / f"{number}.nii", 5, 90)
    for number in range(3):
        volume(tmp_path / "labels" / f"{number}.nii", 0, 1)
    detection, config = sections(tmp_path)
    assert config["source"]["unmatched"] == "skip" and "1 file has no partner and is left out" in detection.notes


def test_volumes_with_labels_in_a_table(tmp_path):
    for number in range(6):
        volume(tmp_path / "scans" / f"s{number}.nii", 5, 90)
    rows = [[f"s{number}.nii", f"p{number // 2}", ["healthy", "ill"][number % 2]] for number in range(6)]
    table(tmp_path / "list.csv", ["scan", "subject", "diagnosis"], rows)
    detection, config = sections(tmp_path)
    assert detection.kind == "volume_classification"
    assert config["source"] == {
        "name": "volumes",
        "images": "scans",
        "table": "list.csv",
        "volume_column": "scan",
        "patient_column": "subject",
        "label_column": "diagnosis",
    }


def test_volumes_alone_teach_nothing(tmp_path):
    volume(tmp_path / "a.nii", 1)
    with pytest.raises(DataError, match="nothing to learn"):
        found(tmp_path)
