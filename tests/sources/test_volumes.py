import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources import volumes as volumes_module
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volumes import Volumes
from tests.conftest import DATA
from tests.sources.volumes_on_disk import (
    CLASSES,
    as_nibabel_says,
    counted,
    masked,
    opened,
    save_nifti,
    table,
    two_scans,
)

SCANS = DATA / "volumes"


@pytest.fixture
def folder(tmp_path):
    return two_scans(tmp_path)


def test_the_sample_scans_have_masks_patients_and_diagnoses():
    source = Volumes(
        VolumeFiles(SCANS / "images", SCANS / "labels", CLASSES, table=SCANS / "patients.csv", label_column="diagnosis")
    )
    assert len(source) == 32
    assert np.unique(source.groups).size == 24
    assert source.label_classes == ("healthy", "lesion")
    assert source.classes == tuple(CLASSES)
    for index in range(len(source)):
        assert (2 in source.foreground(index)) == (source.label_classes[source.labels[index]] == "lesion")
        assert np.array_equal(source.read(index), as_nibabel_says(Path(source.describe(index))))
        assert source.shape(index) == source.read(index).shape == source.read_mask(index).shape


@pytest.mark.parametrize("index", [0, 1])
def test_volume_and_mask_stand_in_one_canon_however_they_are_stored(folder, index):
    source = opened(folder)
    assert source.shape(index) == (6, 5, 4)
    assert source.spacing_mm(index) == pytest.approx((5.0, 3.0, 2.0))
    assert np.array_equal(source.read(index), counted().transpose(2, 1, 0))
    assert np.array_equal(source.read_mask(index), masked().transpose(2, 1, 0))
    window = slice(2, 5), slice(1, 4), slice(0, 2)
    assert np.array_equal(source.read(index, window), counted().transpose(2, 1, 0)[window])
    assert np.array_equal(source.read_mask(index, window), masked().transpose(2, 1, 0)[window])


def test_a_sample_names_its_files_and_its_patient(folder):
    source = opened(folder)
    assert source[1] == {
        "volume": str(folder / "images" / "b.nii.gz"),
        "mask": str(folder / "labels" / "b.nii.gz"),
        "patient": "b",
    }
    assert source.describe(0) == str(folder / "images" / "a.nii")


def test_a_compressed_file_is_decompressed_once_for_all_windows(folder, monkeypatch):
    source = opened(folder)
    reads = []
    read = volumes_module.VolumeFile.read
    monkeypatch.setattr(
        volumes_module.VolumeFile, "read", lambda file, window=None: reads.append(file.path.name) or read(file, window)
    )
    window = slice(0, 2), slice(0, 2), slice(0, 2)
    with ThreadPoolExecutor(4) as pool:
        assert len({part.tobytes() for part in pool.map(lambda _: source.read(1, window), range(8))}) == 1
    assert reads == ["b.nii.gz"]
    source.read(0, window)
    source.read(0, window)
    assert reads == ["b.nii.gz", "a.nii", "a.nii"]


@pytest.mark.parametrize(("orientation", "slowest"), [("RAS", 130), ("SAR", 200), ("PIL", 200)])
def test_a_deep_volume_is_measured_on_planes_spread_over_it(tmp_path, orientation, slowest):
    gradient = np.arange(200, dtype=np.int16).reshape(200, 1, 1) + np.zeros((200, 2, 130), np.int16)
    save_nifti(tmp_path / "a.nii", gradient, orientation)
    voxels = Volumes(VolumeFiles(tmp_path)).some_voxels(0)
    assert 40 <= voxels.size / (gradient.size / slowest) <= 64  # planes
    assert voxels.mean() == pytest.approx(99.5, abs=1)
    assert voxels.std() == pytest.approx(np.arange(200).std(), rel=0.01)


def test_volumes_of_few_planes_are_measured_whole(folder):
    for index in range(2):
        assert np.array_equal(np.sort(opened(folder).some_voxels(index)), np.arange(120))


def test_no_more_of_a_deep_volume_is_read_than_is_measured(tmp_path, monkeypatch):
    read = []

    class Counted(io.FileIO):
        def readinto(self, content):
            read.append(super().readinto(content))
            return read[-1]

    np.save(tmp_path / "a.npy", np.zeros((8, 9, 300), np.float64, order="F"))  # as get_fdata gives it
    source = Volumes(VolumeFiles(tmp_path))
    monkeypatch.setattr(Path, "open", lambda path, mode: Counted(path, mode))
    assert source.some_voxels(0).nbytes * 2 == sum(read) <= 64 * 8 * 9 * 8


def test_volumes_come_in_the_spacing_that_is_asked_for(folder):
    source = opened(folder, spacing_mm=(2.5, 3.0, 1.0))
    assert source.shape(0) == (12, 5, 8)
    assert source.spacing_mm(0) == (2.5, 3.0, 1.0)
    volume, mask = source.read(0), source.read_mask(0)
    assert volume.dtype == np.float32
    assert volume.shape == mask.shape == (12, 5, 8)
    # a quarter of the way from the first stored voxel along z, a step of 1, and along x, a step of 30
    assert volume[1, 0, 1] == pytest.approx(0.25 * 1 + 0.25 * 30)
    assert np.array_equal(mask, masked().transpose(2, 1, 0).repeat(2, 0).repeat(2, 2))
    window = slice(3, 7), slice(1, 4), slice(2, 7)
    assert np.array_equal(source.read(0, window), volume[window])
    assert np.array_equal(source.read_mask(0, window), mask[window])


def test_arrays_are_taken_as_they_are(tmp_path):
    for name, array in (("images", counted(dtype=np.float32)), ("labels", masked())):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", array)
        np.save(tmp_path / name / "b.npy", np.asfortranarray(array))
    source = opened(tmp_path)
    window = slice(1, 3), slice(0, 4), slice(2, 6)
    for index in range(2):
        assert source.shape(index) == (4, 5, 6)
        assert source.spacing_mm(index) == (1.0, 1.0, 1.0)
        assert np.array_equal(source.read(index, window), counted()[window])
        assert np.array_equal(source.read_mask(index, window), masked()[window])
    with pytest.raises(DataError, match=r"a\.npy  a \.npy file does not say its spacing"):
        opened(tmp_path, spacing_mm=(1.0, 1.0, 1.0))


def test_foreground_names_voxels_of_each_class(folder):
    found = opened(folder).foreground(0)
    assert sorted(found) == [1, 2]
    assert found[2].tolist() == [[5, 0, 0]]
    assert sorted(found[1].tolist()) == [[z, y, x] for z in (3, 4) for y in (2, 3) for x in (1, 2)]


def test_the_foreground_of_a_large_class_is_spread_over_it(tmp_path):
    save_nifti(tmp_path / "images" / "a.nii", np.zeros((20, 20, 20), np.int16))
    save_nifti(tmp_path / "labels" / "a.nii", np.ones((20, 20, 20), np.uint8))
    voxels = opened(tmp_path).foreground(0)[1]
    assert len(voxels) == 1000
    assert voxels.min(axis=0)[0] == 0
    assert voxels.max(axis=0)[0] == 19


def test_voxels_of_each_class_are_counted(folder):
    assert opened(folder).class_counts(np.array([0, 1])).tolist() == [2 * (120 - 9), 16, 2]


def test_a_mask_of_another_shape_is_named_with_both_shapes(folder):
    save_nifti(folder / "labels" / "a.nii", masked((4, 5, 7)))
    with pytest.raises(
        DataError,
        match=r"labels/a\.nii  the mask has another shape(.|\n)*\(6, 5, 4\), as .*images/a\.nii\n.*\(7, 5, 4\)",
    ):
        opened(folder)


@pytest.mark.parametrize("wrong", [{"origin": (0, 0, 30)}, {"spacings": (2.0, 3.0, 4.0)}])
def test_a_mask_in_another_place_is_named(folder, wrong):
    save_nifti(folder / "labels" / "a.nii", masked(), **wrong)
    apart = "30" if "origin" in wrong else "5"  # 5 steps of 5 mm or of 4 mm
    with pytest.raises(DataError, match=rf"labels/a\.nii  the mask lies elsewhere(.|\n)*up to {apart} mm apart"):
        opened(folder)


def test_a_mask_that_rounding_moved_is_taken(folder):
    save_nifti(folder / "labels" / "a.nii", masked(), origin=(0, 1e-3, 0))
    assert len(opened(folder)) == 2


def test_an_array_beside_a_nifti_volume_is_refused(folder):
    (folder / "labels" / "a.nii").unlink()
    np.save(folder / "labels" / "a.npy", masked().transpose(2, 1, 0))
    with pytest.raises(DataError, match=r"a\.npy  one of mask and volume is an array without an affine"):
        opened(folder)


@pytest.mark.parametrize(
    ("value", "shown"), [(7, r"7 \(1 voxels\)"), (-1, r"-1 \(1 voxels\)"), (0.5, r"0\.5 \(1 voxels\)")]
)
@pytest.mark.parametrize("name", ["a.nii", "b.nii.gz"])
def test_an_id_outside_the_classes_is_named(folder, name, value, shown):
    mask = masked().astype(np.float32)
    mask[3, 3, 3] = value
    save_nifti(folder / "labels" / name, mask)
    with pytest.raises(DataError, match=rf"{name}  the mask holds ids outside(.|\n)*0 to 2: background(.|\n)*{shown}"):
        opened(folder).read_mask("ab".index(name[0]))


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_ids_that_a_tool_scaled_to_integers_are_ids(tmp_path, dtype):
    ids = np.arange(15).repeat(8).reshape(4, 5, 6)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)  # as where `get_fdata()` is saved with the header of the mask that it came from
    save_nifti(tmp_path / "images" / "a.nii", counted())
    nibabel.save(nibabel.Nifti1Image(ids.astype(float), np.diag([2.0, 3.0, 5.0, 1.0]), header), tmp_path / "a.nii")
    (tmp_path / "labels").mkdir()
    (tmp_path / "a.nii").rename(tmp_path / "labels" / "a.nii")
    source = Volumes(VolumeFiles(tmp_path / "images", tmp_path / "labels", [f"organ {n}" for n in range(15)]))
    assert np.array_equal(source.read_mask(0), ids.transpose(2, 1, 0))


def test_volumes_that_are_named_as_masks_too_are_refused_once_they_are_kept(folder):
    source = Volumes(VolumeFiles(folder / "images", folder / "images", CLASSES))
    source.read(1)
    with pytest.raises(DataError, match=r"b\.nii\.gz  the mask holds ids outside the classes"):
        source.read_mask(1)


def test_a_mask_that_names_no_unit_lies_where_its_volume_does(tmp_path):
    image = nibabel.Nifti1Image(counted(), np.diag([20.0, 20.0, 20.0, 1.0]))
    image.header.set_xyzt_units("micron")
    for name, voxels in (("images", image), ("labels", nibabel.Nifti1Image(masked(), image.affine))):
        (tmp_path / name).mkdir()
        nibabel.save(voxels, tmp_path / name / "a.nii")
    assert opened(tmp_path).spacing_mm(0) == pytest.approx((0.02, 0.02, 0.02))


def test_arrays_of_true_and_false_are_numbers(tmp_path):
    np.save(tmp_path / "a.npy", masked() > 0)
    voxels = Volumes(VolumeFiles(tmp_path)).read(0)
    assert voxels.dtype == np.uint8
    assert np.array_equal(voxels, masked() > 0)


def test_probabilities_are_no_ids(tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_dtype("uint8")
    save_nifti(tmp_path / "images" / "a.nii", counted())
    (tmp_path / "labels").mkdir()
    shares = np.linspace(0, 1, 120).reshape(4, 5, 6)
    mask = nibabel.Nifti1Image(shares, np.diag([2.0, 3.0, 5.0, 1.0]), header)
    nibabel.save(mask, tmp_path / "labels" / "a.nii")
    with pytest.raises(DataError, match="the mask holds ids outside the classes"):
        Volumes(VolumeFiles(tmp_path / "images", tmp_path / "labels", ["background", "organ"])).read_mask(0)


def test_masks_saved_as_floats_are_ids(folder):
    save_nifti(folder / "labels" / "a.nii", masked().astype(np.float64))
    mask = opened(folder).read_mask(0)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, masked().transpose(2, 1, 0))


def test_arguments_that_do_not_fit_are_refused(folder):
    with pytest.raises(ConfigError, match="there are no masks"):
        Volumes(VolumeFiles(folder / "images", classes=CLASSES))
    with pytest.raises(ConfigError, match="labels needs classes"):
        Volumes(VolumeFiles(folder / "images", folder / "labels"))
    with pytest.raises(ConfigError, match="classes: 'a' is named twice"):
        Volumes(VolumeFiles(folder / "images", folder / "labels", ["a", "b", "a"]))
    with pytest.raises(ConfigError, match="label_suffix are for masks, and there are no masks"):
        Volumes(VolumeFiles(folder / "images", label_suffix="_seg"))
    with pytest.raises(ConfigError, match="there is no table"):
        Volumes(VolumeFiles(folder / "images", label_column="diagnosis"))
    with pytest.raises(ConfigError, match="unmatched: skip is for folders"):
        opened(folder, table=table(folder, "volume,patient", "a,p1"), unmatched="skip")


def test_an_image_of_two_axes_is_no_volume(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5)))
    with pytest.raises(DataError, match=r"a\.npy  has 2 axes, and is no volume"):
        Volumes(VolumeFiles(tmp_path))


def test_a_source_that_was_read_pickles_small_and_reads_on(folder):
    source = opened(folder)
    source.foreground(1)
    fresh = len(pickle.dumps(opened(folder)))
    pickled = pickle.dumps(source)
    assert len(pickled) == fresh
    assert np.array_equal(pickle.loads(pickled).read_mask(1), source.read_mask(1))
