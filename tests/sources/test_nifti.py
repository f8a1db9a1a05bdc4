import gzip
import pickle
import tracemalloc

import nibabel
import numpy as np
import pytest

from seqtrain import extras
from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.nifti import nifti_volume
from tests.sources.volumes_on_disk import as_nibabel_says, counted, save_nifti

WINDOWS = [
    (slice(0, 6), slice(0, 5), slice(0, 4)),
    (slice(2, 3), slice(0, 5), slice(0, 4)),
    (slice(1, 5), slice(4, 5), slice(1, 3)),
    (slice(5, 6), slice(1, 4), slice(3, 4)),
]


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("orientation", ["RAS", "LPS", "LAI", "PSR", "SLA", "IRP"])
def test_voxels_and_windows_are_what_nibabel_reads(tmp_path, orientation, ending):
    path = save_nifti(tmp_path / f"a{ending}", counted(), orientation)
    volume = nifti_volume(path)
    expected = as_nibabel_says(path)
    assert volume.shape == expected.shape == (6, 5, 4)
    assert volume.read().dtype == np.int16
    assert np.array_equal(volume.read(), expected)
    for window in WINDOWS:
        assert np.array_equal(volume.read(window), expected[window])


def test_a_volume_grows_to_the_superior_the_anterior_and_the_right_side(tmp_path):
    voxels = np.zeros((4, 5, 6), np.int16)
    voxels[3, 4, 5] = 1  # right, anterior, superior
    volume = nifti_volume(save_nifti(tmp_path / "a.nii", voxels, "LPI"))
    assert np.argwhere(volume.read()).tolist() == [[5, 4, 3]]
    assert volume.spacing_mm == (5.0, 3.0, 2.0)


def test_the_affine_is_that_of_the_canon(tmp_path):
    path = save_nifti(tmp_path / "a.nii", counted(), "PSL", origin=(-7, 3, 11))
    assert np.allclose(nifti_volume(path).affine, nibabel.as_closest_canonical(nibabel.load(path)).affine)


@pytest.mark.parametrize(("unit", "millimetres"), [("micron", 0.001), ("meter", 1000.0), ("mm", 1.0), ("unknown", 1.0)])
def test_spacings_are_in_millimetres_whatever_the_unit_of_the_file(tmp_path, unit, millimetres):
    image = nibabel.Nifti1Image(counted(), np.diag([20.0, 30.0, 50.0, 1.0]))
    image.header.set_xyzt_units(unit, "sec")
    nibabel.save(image, tmp_path / "a.nii")
    expected = (50 * millimetres, 30 * millimetres, 20 * millimetres)
    assert nifti_volume(tmp_path / "a.nii").spacing_mm == pytest.approx(expected)


def test_an_oblique_volume_goes_to_the_nearest_axes(tmp_path):
    angle = np.deg2rad(20)
    affine = np.diag([-2.0, 3.0, 5.0, 1.0])
    affine[:2, :2] = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ affine[:2, :2]
    nibabel.save(nibabel.Nifti1Image(counted(), affine), tmp_path / "a.nii")
    volume = nifti_volume(tmp_path / "a.nii")
    assert np.array_equal(volume.read(), as_nibabel_says(tmp_path / "a.nii"))
    assert volume.spacing_mm == pytest.approx((5.0, 3.0, 2.0), rel=1e-6)


def test_stored_values_are_scaled_as_the_header_says(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz", counted(), slope=(0.5, -10))
    read = nifti_volume(path).read()
    assert read.dtype == np.float32
    assert np.array_equal(read, as_nibabel_says(path).astype(np.float32))


def test_scaling_needs_little_more_memory_than_its_result(tmp_path):
    path = save_nifti(tmp_path / "a.nii", np.zeros((64, 64, 64), np.int16), slope=(0.5, -10))
    volume = nifti_volume(path)
    tracemalloc.start()
    try:
        result = volume.read()
        assert tracemalloc.get_traced_memory()[1] < 2 * result.nbytes  # with the voxels as stored, which are half
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64", ">i2"])
def test_any_type_of_number_is_read(tmp_path, dtype):
    path = tmp_path / "a.nii"
    header = nibabel.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(dtype)
    nibabel.save(nibabel.Nifti1Image(counted(dtype="int16").astype(dtype), np.eye(4), header), path)
    read = nifti_volume(path).read()
    assert read.dtype == {"float64": np.float32, ">i2": np.int16}.get(dtype, dtype)
    assert read.dtype.isnative
    assert np.array_equal(read, counted().transpose(2, 1, 0))


def test_nifti_2_and_a_last_axis_of_one_are_read(tmp_path):
    nibabel.save(nibabel.Nifti2Image(counted()[..., None], np.eye(4)), tmp_path / "a.nii")
    assert np.array_equal(nifti_volume(tmp_path / "a.nii").read(), counted().transpose(2, 1, 0))


def test_a_series_of_volumes_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, 3), np.int16), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match=r"a\.nii  has 4 axes(.|\n)*received shape \(4, 5, 6, 3\)"):
        nifti_volume(tmp_path / "a.nii")


def test_colours_are_refused(tmp_path):
    colours = np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match=r"a\.nii  has voxels that are not one number each"):
        nifti_volume(tmp_path / "a.nii")


def test_a_file_that_is_cut_short_is_named_at_once(tmp_path):
    path = save_nifti(tmp_path / "a.nii", counted())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"a\.nii  the volume is truncated\n  expected 592 bytes(.|\n)*received 591"):
        nifti_volume(path)  # 352 of the header and 4 * 5 * 6 * 2 of voxels


def test_a_file_that_is_cut_short_later_is_named_when_it_is_read(tmp_path):
    path = save_nifti(tmp_path / "a.nii", counted())
    volume = nifti_volume(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"a\.nii  the volume is truncated"):
        volume.read()
    path.unlink()
    with pytest.raises(DataError, match=r"a\.nii  the volume cannot be read: No such file"):
        volume.read()


def damage_cut(content):
    return content[:-20]


def damage_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def damage_checksum(content):
    return content[:-8] + bytes(4) + content[-4:]


@pytest.mark.parametrize("damage", [damage_cut, damage_bit, damage_checksum])
def test_a_damaged_compressed_file_is_named(tmp_path, damage):
    voxels = np.random.default_rng(0).integers(0, 9, (20, 20, 20)).astype(np.int16)
    path = save_nifti(tmp_path / "a.nii.gz", voxels)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.nii\.gz  the compressed file is damaged or truncated"):
        nifti_volume(path).read()


def test_compressed_content_that_ends_early_is_named(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz", counted())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-10]))
    with pytest.raises(DataError, match=r"a\.nii\.gz  the volume is truncated"):
        nifti_volume(path).read()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("content", [b"", b"not a volume" * 50, b"\x1f\x8b\x08"])
def test_a_file_that_is_no_nifti_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}  is no readable NIfTI file"):
        nifti_volume(tmp_path / name)


def test_values_that_are_no_finite_numbers_are_refused_where_they_are_read(tmp_path):
    voxels = counted(dtype=np.float32)
    voxels[0, 0, 0] = np.nan
    volume = nifti_volume(save_nifti(tmp_path / "a.nii", voxels))
    assert np.isfinite(volume.read((slice(1, 6), slice(0, 5), slice(0, 4)))).all()
    with pytest.raises(DataError, match=r"a\.nii  the volume holds values(.|\n)*received 1 voxels"):
        volume.read()


def test_an_affine_without_directions_is_refused(tmp_path):
    image = nibabel.Nifti1Image(counted(), np.eye(4))
    image.header["sform_code"], image.header["qform_code"] = 1, 0
    image.header["srow_z"] = 0
    (tmp_path / "a.nii").write_bytes(image.header.binaryblock + bytes(4) + np.asarray(image.dataobj).tobytes(order="F"))
    header = bytearray((tmp_path / "a.nii").read_bytes())
    header[344:348] = b"n+1\0"
    header[108:112] = np.float32(352).tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(header))
    with pytest.raises(DataError, match=r"a\.nii  the header's affine does not say where the axes point"):
        nifti_volume(tmp_path / "a.nii")


def test_only_the_planes_and_rows_of_a_window_are_read(tmp_path):
    path = save_nifti(tmp_path / "a.nii", counted())
    volume = nifti_volume(path)
    with path.open("r+b") as file:
        file.truncate(352 + 2 * (4 * 5 * 3))  # the first three planes along z
    window = slice(1, 3), slice(0, 5), slice(0, 4)
    assert np.array_equal(volume.read(window), counted().transpose(2, 1, 0)[window])


def test_a_volume_is_known_by_its_place_alone(tmp_path):
    path = save_nifti(tmp_path / "a.nii", np.zeros((64, 64, 64), np.int16))
    assert len(pickle.dumps(nifti_volume(path))) < 2000


def test_without_nibabel_the_extra_is_named(tmp_path, monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name=name)

    path = save_nifti(tmp_path / "a.nii", counted())
    monkeypatch.setattr(extras.importlib, "import_module", refuse)
    with pytest.raises(ConfigError, match=r"NIfTI files need the package nibabel(.|\n)*seqtrain\[nifti\]"):
        nifti_volume(path)
