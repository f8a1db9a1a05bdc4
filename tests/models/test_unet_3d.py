import numpy as np
import pytest

from seqtrain.errors import ConfigError

SMALL = {"filters": (2, 4)}
SUPPLIED = {"input_dtype": "float32", "num_classes": 3, "data_format": "channels_last"}
PATCHES = np.random.default_rng(3).random((2, 5, 8, 7, 1)).astype(np.float32)


def test_every_voxel_of_a_patch_of_any_size_gets_probabilities(build):
    predictions = build("unet_3d", SMALL, input_shape=(5, 8, 7, 1), **SUPPLIED).predict(PATCHES, verbose=0)
    assert predictions.shape == (2, 5, 8, 7, 3)
    assert predictions.dtype == np.float32
    np.testing.assert_allclose(predictions.sum(axis=-1), np.ones((2, 5, 8, 7)), atol=1e-5)


def test_group_normalisation_makes_a_patch_independent_of_its_batch(build):
    model = build("unet_3d", SMALL, input_shape=(5, 8, 7, 1), **SUPPLIED)
    together = model(PATCHES, training=True).numpy()
    alone = model(PATCHES[:1], training=True).numpy()
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)


def test_a_saved_model_predicts_the_same(build, assert_survives_saving):
    assert_survives_saving(build("unet_3d", SMALL, input_shape=(5, 8, 7, 1), **SUPPLIED), PATCHES)


@pytest.mark.parametrize("input_shape", [(5, 5), (), None])
def test_an_input_that_is_no_volume_is_refused(build, input_shape):
    with pytest.raises(ConfigError, match="takes volumes"):
        build("unet_3d", SMALL, input_shape=input_shape, **SUPPLIED)


def test_targets_without_classes_are_refused(build):
    with pytest.raises(ConfigError, match="at least two classes"):
        build("unet_3d", SMALL, input_shape=(5, 8, 7, 1), **{**SUPPLIED, "num_classes": None})
