import pickle

import nibabel
import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sequences.volume_patches import VolumePatchSequence
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volumes import Volumes
from tests.conftest import DATA
from tests.sequences.building import build
from tests.sequences.volumes_in_memory import VolumesInMemory

SHAPES = [(8, 12, 10), (5, 9, 16), (3, 20, 11)]
SIZE = (4, 6, 8)
AUGMENTED = {
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "depth_flip": 0.5,
    "rotation": 20.0,
    "rotate_90": True,
    "brightness": 0.1,
    "contrast": 0.1,
}


def source(spacing_mm=(1.0, 1.0, 1.0)):
    """Volumes whose voxels are their number and place: every value occurs once."""
    voxels = [(1000 * i + np.arange(np.prod(s))).reshape(s).astype(np.float32) for i, s in enumerate(SHAPES)]
    masks = [np.zeros(shape, dtype=np.uint8) for shape in SHAPES]
    masks[0][6, 2, 3] = 1
    masks[0][1:4, 8:10, 5:9] = 2
    masks[1][2, 4, 8] = 1
    return VolumesInMemory(voxels, masks, spacing_mm=spacing_mm)


def patches(training, of=None, indices=(0, 1, 2), batch_size=4, **options):
    options = {"mean_std": (0, 1), "patch_size": SIZE, **options}
    return build(
        VolumePatchSequence, of or source(), np.array(indices), batch_size, seed=7, training=training, **options
    )


def test_training_gives_so_many_patches_of_each_volume_and_maps_them_back():
    sequence = patches(True, indices=(0, 2), patches_per_volume=5)
    items = np.concatenate([sequence.sample_indices(3, position) for position in range(len(sequence))])
    assert sorted(items.tolist()) == list(range(10))
    assert sorted(sequence.source_indices(items).tolist()) == [0] * 5 + [2] * 5
    assert sequence.describe(0) == "volume_0.nii, random patch 0"
    assert sequence.describe(7) == "volume_2.nii, random patch 2"


def test_validation_covers_every_voxel_from_shapes_alone():
    of = source()
    sequence = patches(False, of, overlap=0.25)
    assert of.windows == []
    seen = [set() for _ in SHAPES]
    for position in range(len(sequence)):
        x, _ = sequence[position]
        for volume, patch in zip(sequence.source_indices(sequence.sample_indices(0, position)), x, strict=True):
            seen[volume] |= set(patch.ravel().tolist())
    assert seen == [set(voxels.ravel().tolist()) for voxels in of.voxels]


def test_a_patch_of_validation_is_the_place_that_it_names():
    of = source()
    sequence = patches(False, of, batch_size=1)
    assert sequence.describe(1) == "volume_0.nii, patch at z 0 to 3, y 0 to 5, x 2 to 9"
    x, y = sequence[1]
    np.testing.assert_array_equal(x[0, ..., 0], of.voxels[0][0:4, 0:6, 2:10])
    np.testing.assert_array_equal(y[0], of.masks[0][0:4, 0:6, 2:10])


def test_only_the_windows_of_the_patches_are_read():
    of = source()
    for training in (True, False):
        of.windows.clear()
        sequence = patches(training, of, indices=(0, 1))
        sequence.batch(0, 0)
        assert len(of.windows) == 4
        for window in of.windows:
            assert tuple(part.stop - part.start for part in window) == SIZE


def test_a_turned_patch_reads_little_more():
    of = source()
    patches(True, of, indices=(0,), batch_size=4, rotation=10.0).batch(0, 0)
    for window in of.windows:
        depth, height, width = (part.stop - part.start for part in window)
        assert depth == 4
        assert height <= 6 + 2 * 2
        assert width <= 8 + 2 * 2


def test_a_patch_larger_than_the_volume_is_filled_with_its_lowest_value_and_background():
    of = VolumesInMemory([np.arange(5, 13, dtype=np.int16).reshape(2, 2, 2)], [np.ones((2, 2, 2), np.uint8)])
    for training in (True, False):
        x, y = patches(training, of, indices=(0,), batch_size=1, patch_size=(2, 4, 3), foreground=1.0)[0]
        inside = np.zeros((2, 4, 3), dtype=bool)
        inside[:, 1:3, :2] = True
        if x[0, 0, 1, 2, 0] != 5:
            inside = np.roll(inside, 1, axis=2)
        np.testing.assert_array_equal(x[0, ..., 0][inside], np.arange(5, 13))
        assert (x[0, ..., 0][~inside] == 5).all()
        np.testing.assert_array_equal(y[0], inside)


def test_the_share_of_foreground_patches_has_a_voxel_of_a_class_in_its_middle():
    sequence = patches(True, indices=(0,), patches_per_volume=400, batch_size=400, foreground=0.5, patch_size=(1, 1, 1))
    _, y = sequence[0]
    counts = np.bincount(y.ravel(), minlength=3)
    # 25 of 960 voxels are foreground: half of the other half would give 5. The classes are drawn alike, not by size.
    assert 160 < counts[1] + counts[2] < 250
    assert 70 < counts[1] < 130


def test_a_volume_without_foreground_still_gives_patches():
    sequence = patches(True, indices=(2,), foreground=1.0)
    _, y = sequence[0]
    assert y.shape == (4, *SIZE)
    assert not y.any()


def test_augmented_voxels_and_masks_lie_on_each_other():
    voxels, masks = [], []
    for i in range(3):
        mask = np.zeros((12, 24, 24), dtype=np.uint8)
        mask[3 + i : 9, 6:14, 8 : 16 + i] = 1
        masks.append(mask)
        voxels.append(100.0 * mask.astype(np.float32))
    of = VolumesInMemory(voxels, masks)
    options = {**AUGMENTED, "brightness": 0.0, "contrast": 0.0}
    sequence = patches(True, of, patch_size=(6, 14, 10), patches_per_volume=10, batch_size=30, **options)
    x, y = sequence[0]
    assert (x[..., 0] > 0).mean() > 0.1
    wrong = np.abs(x[..., 0] - 100.0 * y) > 60  # at an edge, interpolation may take away up to half
    assert wrong.mean() < 0.001


def test_flips_and_quarter_turns_keep_every_voxel_and_its_id():
    of = source()
    options = {"depth_flip": 0.5, "horizontal_flip": 0.5, "vertical_flip": 0.5, "rotate_90": True}
    sequence = patches(True, of, indices=(0,), patches_per_volume=40, batch_size=40, foreground=1.0, **options)
    x, y = sequence[0]
    for patch, ids in zip(x[..., 0], y, strict=True):
        assert len(np.unique(patch)) == patch.size
        np.testing.assert_array_equal(of.masks[0].ravel()[patch.astype(int)], ids)


def test_patches_depend_on_seed_epoch_and_item_alone():
    sequence, again = patches(True, **AUGMENTED), pickle.loads(pickle.dumps(patches(True, **AUGMENTED)))
    again.batch(0, 1)
    for one, other in zip(sequence.batch(2, 1), again.batch(2, 1), strict=True):
        np.testing.assert_array_equal(one, other)
    items = np.array([3, 9])
    together, apart = sequence.allocate(2), sequence.allocate(2)
    sequence.write(items, 5, together)
    for row in (1, 0):
        sequence.write(items[row : row + 1], 5, tuple(part[row : row + 1] for part in apart))
    np.testing.assert_array_equal(together[0], apart[0])
    sequence.write(items, 6, apart)
    assert not np.array_equal(together[0], apart[0])


def test_validation_is_not_augmented():
    plain, augmented = patches(False), patches(False, **AUGMENTED)
    np.testing.assert_array_equal(plain.batch(0, 2)[0], augmented.batch(4, 2)[0])


def test_the_spec_says_pixels_and_mask_with_classes():
    x, y = patches(True).spec
    assert (x.shape, x.dtype, x.kind) == ((4, 6, 8, 1), "float32", "pixels")
    assert (y.shape, y.dtype, y.kind) == ((4, 6, 8), "uint8", "mask")
    assert y.classes == ("background", "lesion", "vessel")
    assert patches(True).num_classes == 3


def test_z_scores_are_those_of_the_volume_not_of_the_patch():
    of = source()
    x, _ = patches(False, of, indices=(1,), batch_size=1, mean_std=None)[0]
    volume = of.voxels[1]
    np.testing.assert_allclose(x[0, ..., 0], (volume[:4, :6, :8] - volume.mean()) / volume.std(), rtol=1e-4)


def test_a_source_without_masks_is_refused():
    with pytest.raises(ConfigError, match="cannot read from this VolumesInMemory"):
        patches(True, VolumesInMemory([np.zeros((4, 4, 4))]), indices=(0,))


@pytest.mark.parametrize("name", ["scan_01.nii", "scan_04.nii.gz"])
def test_patches_of_nifti_files_are_what_nibabel_reads(name):
    folder = DATA / "volumes"
    classes = ["background", "brain", "lesion"]
    of = Volumes(
        VolumeFiles(images=folder / "images", labels=folder / "labels", classes=classes, table=folder / "patients.csv")
    )
    index = next(i for i in range(len(of)) if of.describe(i).endswith(name))
    x, y = patches(False, of, indices=(index,), batch_size=1, mean_std=None, window=(0, 800))[0]

    def canonical(kind):  # depth, height, width: superior, anterior, right
        return nibabel.as_closest_canonical(nibabel.load(folder / kind / name)).get_fdata().transpose(2, 1, 0)

    np.testing.assert_allclose(x[0, ..., 0], np.clip(canonical("images")[:4, :6, :8] / 800, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(y[0], canonical("labels")[:4, :6, :8])


def test_patches_without_augmentation_lie_where_the_augmented_do():
    turned = patches(True, rotate_90=True, rotation=20.0, horizontal_flip=0.5, brightness=0.2)
    for epoch in (0, 3):
        for made, expected in zip(
            turned.without_augmentation().batch(epoch, 1), patches(True).batch(epoch, 1), strict=True
        ):
            assert np.array_equal(made, expected)
