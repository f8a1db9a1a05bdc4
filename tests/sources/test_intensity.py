import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.sequences.geometry_3d import VolumeAugmentation
from seqtrain.sources.intensity import Intensity, VolumeScales
from tests.sequences.volumes_in_memory import VolumesInMemory

VOLUME = np.array([-1000, -100, 100, 300, 3000], dtype=np.int16).reshape(1, 1, 5)


def scaled(volume, **options):
    return VolumeScales(VolumesInMemory([volume]), Intensity(**options))[0].apply(volume)


def test_a_window_becomes_0_to_1_and_clips():
    result = scaled(VOLUME, window=(-100, 300))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.ravel(), [0, 0, 0.5, 1, 1])


def test_percentiles_are_those_of_the_volume():
    result = scaled(np.arange(101, dtype=np.int16).reshape(1, 1, 101), percentiles=(10, 90))
    np.testing.assert_allclose(result.ravel()[[0, 10, 50, 90, 100]], [0, 0, 0.5, 1, 1])


def test_without_options_a_volume_has_mean_0_and_deviation_1():
    volume = np.random.default_rng(0).normal(300, 40, (4, 5, 6)).astype(np.float32)
    result = scaled(volume)
    assert result.mean() == pytest.approx(0, abs=1e-5)
    assert result.std() == pytest.approx(1, abs=1e-5)


def test_a_given_mean_and_deviation_do_not_clip():
    np.testing.assert_allclose(scaled(VOLUME, mean_std=(100, 200)).ravel(), [-5.5, -1, 0, 1, 14.5])


def test_a_blank_volume_becomes_zeros():
    blank = np.full((2, 2, 2), 7, dtype=np.int16)
    assert not scaled(blank).any()
    assert not scaled(blank, percentiles=(1, 99)).any()


def test_a_volume_is_measured_once():
    source = VolumesInMemory([VOLUME])
    scales = VolumeScales(source, Intensity())
    assert scales[0] == scales[0]
    assert source.windows == ["some voxels"]


def test_fixed_ranges_need_no_voxels():
    source = VolumesInMemory([VOLUME])
    for intensity in (Intensity(window=(0, 1)), Intensity(mean_std=(0, 1))):
        assert VolumeScales(source, intensity)[0].zero == 0
    assert source.windows == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": (0, 1), "percentiles": (1, 99)}, "percentiles: the volumes are scaled by window already"),
        ({"window": (300, -100)}, "window: 300 is not below -100"),
        ({"percentiles": (5, 5)}, "percentiles: 5 is not below 5"),
        ({"mean_std": (5, 0)}, "mean_std: the standard deviation is 0"),
    ],
)
def test_what_is_no_range_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Intensity(**options)


def test_relighting_adds_and_stretches_about_the_middle_within_its_bounds():
    seen = []
    for i in range(200):
        voxels = np.array([0.5, 1.0], dtype=np.float32)
        VolumeAugmentation(brightness=0.1, contrast=0.4).jitter(voxels, np.random.default_rng(i), middle=0.5)
        seen.append((voxels[0] - 0.5, (voxels[1] - voxels[0]) / 0.5))
    added, factor = np.array(seen).T
    assert -0.1001 <= added.min() < -0.09
    assert 0.09 < added.max() <= 0.1001
    assert 0.5999 <= factor.min() < 0.63
    assert 1.37 < factor.max() <= 1.4001


def test_no_relighting_leaves_the_voxels():
    voxels = np.array([0.25, 3.0], dtype=np.float32)
    VolumeAugmentation().jitter(voxels, np.random.default_rng(0), middle=0.5)
    assert voxels.tolist() == [0.25, 3.0]
