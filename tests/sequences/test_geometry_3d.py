import numpy as np
import pytest

from seqtrain.sequences.geometry_3d import VolumeAugmentation, VolumeGeometry

CUBE = (1.0, 1.0, 1.0)


def a_volume(shape=(3, 6, 8)):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_nothing_drawn_changes_nothing():
    volume = a_volume()
    np.testing.assert_array_equal(VolumeGeometry().apply(volume, volume.shape, CUBE), volume)
    assert VolumeGeometry().cut_size((3, 6, 8), CUBE) == (3, 6, 8)


def test_flips_and_quarter_turns_move_voxels_onto_voxels():
    volume = a_volume((3, 8, 6))
    geometry = VolumeGeometry(flips=(True, False, True), quarter_turns=1)
    assert geometry.cut_size((3, 6, 8), CUBE) == (3, 8, 6)
    result = geometry.apply(volume, (3, 6, 8), CUBE)
    # A quarter turn from y towards x takes the last column to the first row; then the depth and the width are reversed.
    assert result.shape == (3, 6, 8)
    np.testing.assert_array_equal(result[2, 0, ::-1], volume[0, :, 5])
    assert sorted(result.ravel().tolist()) == sorted(volume.ravel().tolist())


@pytest.mark.parametrize("degrees", [-23.0, 10.0, 45.0, 90.0])
def test_what_is_cut_out_holds_every_corner_of_the_turned_patch(degrees):
    size = (2, 20, 12)
    depth, height, width = VolumeGeometry(rotation_degrees=degrees).cut_size(size, CUBE)
    angle = np.deg2rad(abs(degrees))
    assert depth == 2
    assert height >= 19 * np.cos(angle) + 11 * np.sin(angle) + 1 - 1e-9
    assert width >= 19 * np.sin(angle) + 11 * np.cos(angle) + 1 - 1e-9
    assert (height - 20) % 2 == (width - 12) % 2 == 0  # so that both have the same middle


def test_a_rotation_takes_a_linear_ramp_to_the_turned_ramp():
    size = (1, 9, 9)
    geometry = VolumeGeometry(rotation_degrees=30.0)
    cut = geometry.cut_size(size, CUBE)
    y, x = np.mgrid[: cut[1], : cut[2]] - (np.array(cut[1:])[:, None, None] - 1) / 2
    turned = geometry.apply((2 * x + 5 * y)[None].astype(np.float32), size, CUBE)
    rows, columns = np.mgrid[:9, :9] - 4.0
    seen_x = np.cos(np.pi / 6) * columns - np.sin(np.pi / 6) * rows
    seen_y = np.sin(np.pi / 6) * columns + np.cos(np.pi / 6) * rows
    np.testing.assert_allclose(turned[0], 2 * seen_x + 5 * seen_y, atol=0.2)  # OpenCV interpolates at 1/32 voxels


def test_a_disk_stays_a_disk_in_millimetres_where_voxels_are_no_squares():
    y, x = np.mgrid[-20:21, -40:41]
    disk = np.exp(-np.hypot(y * 2.0, x * 1.0) / 10).astype(np.float32)[None]
    turned = VolumeGeometry(rotation_degrees=40.0).apply(disk, disk.shape, (1.0, 2.0, 1.0))
    assert np.abs(turned - disk).mean() < 0.002
    stretched = VolumeGeometry(rotation_degrees=40.0).apply(disk, disk.shape, CUBE)
    assert np.abs(stretched - disk).mean() > 0.02


def test_a_mask_keeps_its_ids_and_lies_where_its_volume_lies():
    mask = np.zeros((4, 24, 24), dtype=np.uint8)
    mask[1:3, 5:12, 14:20] = 7
    mask[:, 15:20, 4:9] = 2
    mask.flags.writeable = False
    generator = np.random.default_rng(1)
    for _ in range(20):
        geometry = VolumeAugmentation(0.5, 0.5, 0.5, 30.0, True).draw(generator)
        turned = geometry.apply(mask, (4, 16, 16), CUBE, nearest=True)
        assert set(np.unique(turned)) <= {0, 2, 7}
        voxels = geometry.apply((mask == 7).astype(np.float32), (4, 16, 16), CUBE)
        assert np.array_equal(turned[voxels > 0.99] == 7, np.ones((voxels > 0.99).sum(), bool))
        assert not (turned[voxels < 0.01] == 7).any()


def test_turning_one_augmentation_on_leaves_the_others_as_they_were():
    flips = (0.5, 0.5, 0.5)
    one = [VolumeAugmentation(*flips).draw(np.random.default_rng(i)) for i in range(50)]
    all_on = [VolumeAugmentation(*flips, 10.0, True).draw(np.random.default_rng(i)) for i in range(50)]
    assert [geometry.flips for geometry in one] == [geometry.flips for geometry in all_on]
    assert {geometry.quarter_turns for geometry in all_on} == {0, 1, 2, 3}
    degrees = [geometry.rotation_degrees for geometry in all_on]
    assert -10 <= min(degrees) < -7
    assert 7 < max(degrees) <= 10
    assert {geometry.rotation_degrees for geometry in one} == {0.0}
