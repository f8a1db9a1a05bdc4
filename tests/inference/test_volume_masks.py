"""Masks of whole volumes from what a perfect model makes of their parts: they must be those on the disk."""

from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from PIL import Image

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.inference.other_sources import sequence_like_run, source_of_inputs
from seqtrain.inference.prediction_format import check_format, fitting_format, writer_for
from seqtrain.inference.volume_masks import PatchParts, SliceParts, VolumeWriter, volume_parts
from seqtrain.loading.pipeline import open_data
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sequences.boxes import cut_out
from seqtrain.sequences.volume_patches import VolumePatchSequence
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volume_slices import VolumeSlices
from seqtrain.sources.volumes import Volumes
from seqtrain.training.predictions import PredictedBatch
from tests.conftest import CONFIGS, DATA
from tests.sequences.building import build
from tests.sources.volumes_on_disk import save_nifti

CLASSES = ("background", "brain", "lesion")
SPEC = OutputSpec("", "volume", CLASSES)
ORIENTATIONS = ("RAS", "LPS", "SLA", "PSR", "IRP")


@pytest.fixture
def disk(tmp_path):
    """Volumes of five orientations and an array, with masks of their own size each."""
    rng = np.random.default_rng(2)
    for number, orientation in enumerate(ORIENTATIONS):
        shape = (9 + number, 11, 14 - number)
        name = f"{orientation}.nii{'.gz' if number % 2 else ''}"
        voxels = rng.integers(-90, 900, shape).astype(np.int16)
        save_nifti(tmp_path / "images" / name, voxels, orientation, slope=(2.0, -5.0))
        save_nifti(tmp_path / "labels" / name, rng.integers(0, 3, shape).astype(np.uint8), orientation)
    np.save(tmp_path / "images" / "array.npy", rng.random((7, 12, 10), np.float32))
    np.save(tmp_path / "labels" / "array.npy", rng.integers(0, 3, (7, 12, 10)).astype(np.uint8))
    return tmp_path


def volumes_of(folder, **options):
    return Volumes(VolumeFiles(folder / "images", folder / "labels", list(CLASSES), **options))


def perfect(y):
    """Probabilities of which the right class has most, by little."""
    return np.eye(3, dtype=np.float32)[y] * 0.1 + 0.3


def write(out, parts, sequence, bad=()):
    writer = VolumeWriter(out, parts, lambda path: out / Path(path).name)
    for position in range(len(sequence)):
        items = sequence.sample_indices(0, position)
        errors = {row: "cannot be read" for row, item in enumerate(items.tolist()) if parts.volume_of(item) in bad}
        writer.write(PredictedBatch(items, {"": perfect(sequence[position][1])}, errors=errors))
    assert writer.close(is_complete=True) == [str(out)]


def write_patches(out, sequence, bad=()):
    write(out, PatchParts(sequence.source, sequence, SPEC), sequence, bad)


def load(path):
    return np.load(path) if path.suffix == ".npy" else nibabel.load(path)


def assert_same(out, labels):
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in labels.iterdir())
    for path in out.iterdir():
        found, wanted = load(path), load(labels / path.name)
        if path.suffix != ".npy":
            assert np.allclose(found.affine, wanted.affine)
            found, wanted = np.asarray(found.dataobj), np.asarray(wanted.dataobj)
        assert found.dtype == np.uint8
        assert np.array_equal(found, wanted), path.name


@pytest.mark.parametrize("overlap", [0.0, 0.5])
@pytest.mark.parametrize("size", [(4, 5, 6), (20, 4, 20)])  # larger than some volumes, too
def test_patches_become_the_masks_on_the_disk_whatever_the_axes_of_a_file(disk, overlap, size):
    volumes = volumes_of(disk)
    sequence = build(VolumePatchSequence, volumes, np.arange(6), 5, 0, False, patch_size=size, overlap=overlap)
    write_patches(disk / "out", sequence)
    assert_same(disk / "out", disk / "labels")


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_slices_become_the_masks_on_the_disk_whatever_the_plane(disk, plane):
    slices = VolumeSlices(VolumeFiles(disk / "images", disk / "labels", list(CLASSES)), plane=plane)

    class Each:
        def __len__(self):
            return len(slices)

        def sample_indices(self, epoch, position):
            return np.array([position])

        def __getitem__(self, position):
            return None, slices.read_mask(position)[None]

    write(disk / "out", SliceParts(slices, OutputSpec("", "mask", CLASSES), "stretch"), Each())
    assert_same(disk / "out", disk / "labels")


def test_masks_of_another_spacing_come_back_into_the_volumes_own(tmp_path):
    mask = np.zeros((10, 12, 8), np.uint8)
    mask[:5], mask[5:, 6:] = 1, 2  # larger than a voxel of either spacing
    save_nifti(tmp_path / "images" / "a.nii.gz", mask.astype(np.float32), "LPS")
    save_nifti(tmp_path / "labels" / "a.nii.gz", mask, "LPS")
    volumes = volumes_of(tmp_path, spacing_mm=(1.5, 1.0, 1.0))
    sequence = build(VolumePatchSequence, volumes, np.arange(1), 5, 0, False, patch_size=(8, 8, 8))
    write_patches(tmp_path / "out", sequence)
    assert_same(tmp_path / "out", tmp_path / "labels")


def test_where_patches_overlap_probabilities_are_averaged(disk):
    volumes = volumes_of(disk)
    number = [volumes.describe(index) for index in range(6)].index(str(disk / "images" / "array.npy"))
    sequence = build(VolumePatchSequence, volumes, np.array([number]), 2, 0, False, patch_size=(7, 12, 8))
    parts = PatchParts(sequence.source, sequence, SPEC)  # of patches at x 0 and x 2
    parts.begin(number)
    parts.add(0, np.broadcast_to(np.array([0.6, 0.4, 0], np.float32), (7, 12, 8, 3)))
    parts.add(1, np.broadcast_to(np.array([0.3, 0.7, 0], np.float32), (7, 12, 8, 3)))
    assert parts.mask()[0, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]


def test_one_number_a_voxel_and_logits_and_channels_first_mean_the_same(disk):
    volumes = volumes_of(disk)
    sequence = build(VolumePatchSequence, volumes, np.array([0]), 2, 0, False, patch_size=(20, 20, 20))
    y = sequence[0][1][0]
    two = OutputSpec("", "volume", CLASSES[:2], from_logits=True, channels_first=True)
    parts = PatchParts(sequence.source, sequence, two)
    parts.begin(0)
    parts.add(0, np.where(y > 0, 3.0, -3.0)[None].astype(np.float32))
    assert np.array_equal(parts.mask(), volumes.read_mask(0) > 0)


def test_a_volume_with_a_part_that_cannot_be_read_has_no_mask(disk):
    volumes = volumes_of(disk)
    sequence = build(VolumePatchSequence, volumes, np.arange(6), 5, 0, False, patch_size=(4, 5, 6))
    write_patches(disk / "out", sequence, bad=(1,))
    missing = Path(volumes.describe(1)).name
    assert not (disk / "out" / missing).exists()
    (disk / "out" / missing).write_text("of an earlier prediction")
    write_patches(disk / "out", sequence, bad=(1,))
    assert len(list((disk / "out").iterdir())) == 5
    assert not (disk / "out" / missing).exists()


def test_volumes_are_what_their_models_write_and_no_others():
    data = open_data(load_config(CONFIGS / "volume_patches.yaml"))
    parts = volume_parts([SPEC], data.train, data.source, "stretch")
    assert fitting_format([SPEC], parts) == "volumes"
    check_format("npy", [SPEC], parts, None)
    with pytest.raises(ConfigError, match="csv cannot hold") as told:
        check_format("csv", [SPEC], parts, None)
    assert "--format volumes, or --format npy" in str(told.value)
    with pytest.raises(ConfigError, match="volumes cannot hold"):
        check_format("volumes", [OutputSpec("", "classes", CLASSES)], None, None)


@pytest.mark.parametrize("name", ["volume_patches", "volume_slices"])
def test_files_that_predict_is_given_become_masks_called_as_they_are(tmp_path, name):
    loaded = load_config(CONFIGS / f"{name}.yaml")
    data = open_data(loaded)
    scans = [DATA / "volumes" / "images" / file for file in ("scan_03.nii.gz", "scan_00.nii")]
    source = source_of_inputs(scans, loaded, data.source)
    sequence = sequence_like_run(data, source, np.arange(len(source)))
    own = getattr(data.source, "volumes", data.source)
    masks = [own.read_mask(own.files[0].index(str(scan))) for scan in scans]
    spec = OutputSpec("", "volume" if name == "volume_patches" else "mask", CLASSES)
    run = SimpleNamespace(loaded=loaded, data=data, source_paths=[], output_specs={"": spec})
    writer, chosen = writer_for(tmp_path / "out", None, run, scans, sequence, source)
    assert chosen == "volumes"
    for position in range(len(sequence)):
        items = sequence.sample_indices(0, position)
        outputs = []
        for item in items.tolist():
            volume, place = (sequence if name == "volume_patches" else source).place(item)
            if name == "volume_patches":
                y = cut_out(
                    lambda window, mask=masks[volume]: mask[window],
                    masks[volume].shape,
                    place,
                    sequence.patch_size,
                    np.min,
                )
            else:
                y = Image.fromarray(np.ascontiguousarray(masks[volume][place].squeeze(source.axis)[::-1]))
                y = np.asarray(y.resize(sequence.image_format.image_size[::-1], Image.Resampling.NEAREST))
            outputs.append(perfect(y))
        writer.write(PredictedBatch(items, {"": np.stack(outputs)}))
    writer.close(is_complete=True)
    for scan, mask in zip(scans, masks, strict=True):
        written = Volumes(VolumeFiles(DATA / "volumes" / "images")).of_inputs([tmp_path / "out" / scan.name])
        assert written.read(0).shape == mask.shape
        assert (written.read(0) == mask).mean() > (0.9 if name == "volume_slices" else 1 - 1e-9)  # slices are resized
    with pytest.raises(ConfigError, match="over a file of the data"):
        writer_for(scans[0].parent, None, run, scans, sequence, source)
