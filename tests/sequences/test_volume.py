import pickle

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sequences.volume import VolumeSequence
from tests.sequences.building import build
from tests.sequences.volumes_in_memory import VolumesInMemory

AUGMENTED = {"horizontal_flip": 0.5, "vertical_flip": 0.5, "depth_flip": 0.5, "rotation": 15.0, "brightness": 0.1}


def source(**options):
    generator = np.random.default_rng(3)
    voxels = [generator.integers(0, 1000, shape).astype(np.int16) for shape in [(6, 8, 10), (4, 12, 12), (8, 8, 8)]]
    return VolumesInMemory(voxels, labels=[1, 0, 1], **options)


def volumes(training=False, of=None, **options):
    options = {"volume_size": (6, 8, 10), "window": (0, 1000), **options}
    of = of or source()
    return build(VolumeSequence, of, np.arange(len(of)), 3, seed=7, training=training, **options)


def test_volumes_of_any_size_come_in_one_with_their_labels():
    sequence = volumes()
    x, y = sequence[0]
    assert x.shape == (3, 6, 8, 10, 1)
    assert x.dtype == np.float32
    assert y.tolist() == [1, 0, 1]
    np.testing.assert_allclose(x[0, ..., 0], sequence.source.voxels[0] / 1000, atol=1e-6)
    assert 0 <= x.min() < x.max() <= 1


def test_the_classes_are_those_of_whole_volumes_not_of_masks():
    sequence = volumes()
    assert sequence.class_names == sequence.spec[1].classes == ("healthy", "ill")
    assert sequence.num_classes == 2
    assert sequence.spec[0].kind == "pixels"


def test_pad_puts_the_volume_in_the_middle_of_its_lowest_value():
    of = VolumesInMemory([np.arange(200, 208, dtype=np.int16).reshape(2, 2, 2)], labels=[0])
    x, _ = volumes(of=of, volume_size=(4, 2, 2), resize="pad")[0]
    np.testing.assert_allclose(x[0, :, :, :, 0] * 1000, [[[200] * 2] * 2, *of.voxels[0], [[200] * 2] * 2], rtol=1e-5)


def test_crop_reads_only_what_it_keeps():
    of = VolumesInMemory([np.zeros((4, 4, 20), np.int16)], labels=[0])
    volumes(of=of, volume_size=(4, 4, 4), resize="crop")[0]
    assert of.windows == [(slice(0, 4), slice(0, 4), slice(8, 12))]


def test_training_flips_keep_every_voxel_in_another_order():
    flipped = volumes(True, volume_size=(8, 8, 8), horizontal_flip=1.0, depth_flip=1.0, rotate_90=False)
    rows = flipped.allocate(1)
    flipped.write(np.array([2]), 0, rows)
    np.testing.assert_allclose(rows[0][0, ..., 0], flipped.source.voxels[2][::-1, :, ::-1] / 1000, atol=1e-6)
    assert rows[1].tolist() == [1]


def test_augmentation_is_for_training_and_depends_on_seed_epoch_and_volume_alone():
    np.testing.assert_array_equal(volumes(False, **AUGMENTED)[0][0], volumes(False)[0][0])
    sequence, again = volumes(True, **AUGMENTED), pickle.loads(pickle.dumps(volumes(True, **AUGMENTED)))
    np.testing.assert_array_equal(sequence.batch(2, 0)[0], again.batch(2, 0)[0])
    rows, later = sequence.allocate(1), sequence.allocate(1)
    sequence.write(np.array([1]), 2, rows)
    sequence.write(np.array([1]), 3, later)
    assert not np.array_equal(rows[0], later[0])


def test_a_source_without_labels_is_refused():
    with pytest.raises(ConfigError, match="cannot read from this VolumesInMemory"):
        volumes(of=VolumesInMemory([np.zeros((4, 4, 4))]))
