import numpy as np
import pytest

from seqtrain.errors import ConfigError

SMALL = {"filters": (4, 8), "dense_units": 8}
SUPPLIED = {"input_dtype": "float32", "num_classes": 3, "data_format": "channels_last"}
VOLUMES = np.random.default_rng(3).random((2, 6, 9, 7, 1)).astype(np.float32)


def test_outputs_are_probabilities_of_the_classes(build):
    predictions = build("cnn_3d", SMALL, input_shape=(6, 9, 7, 1), **SUPPLIED).predict(VOLUMES, verbose=0)
    assert predictions.shape == (2, 3)
    np.testing.assert_allclose(predictions.sum(axis=1), np.ones(2), atol=1e-5)


def test_without_classes_there_is_one_linear_output(build):
    supplied = {**SUPPLIED, "num_classes": None}
    assert build("cnn_3d", SMALL, input_shape=(6, 9, 7), **supplied).output_shape == (None, 1)


def test_channels_first_gives_the_same_predictions_as_channels_last(build):
    last = build("cnn_3d", SMALL, input_shape=(6, 9, 7, 1), **SUPPLIED)
    first = build("cnn_3d", SMALL, input_shape=(1, 6, 9, 7), **{**SUPPLIED, "data_format": "channels_first"})
    x = np.moveaxis(VOLUMES, -1, 1)
    np.testing.assert_allclose(first.predict(x, verbose=0), last.predict(VOLUMES, verbose=0), atol=1e-6)


def test_the_weights_do_not_grow_with_the_volume(build):
    counts = {build("cnn_3d", SMALL, input_shape=(side, side, side, 1), **SUPPLIED).count_params() for side in (4, 32)}
    assert len(counts) == 1


def test_pooling_says_whether_the_strongest_place_or_the_mean_decides(build):
    supplied = {**SUPPLIED, "input_shape": (6, 9, 7, 1)}
    strongest = build("cnn_3d", {**SMALL, "pooling": "max"}, **supplied)
    mean = build("cnn_3d", {**SMALL, "pooling": "average"}, **supplied)
    assert type(strongest.get_layer("pooling")).__name__ == "GlobalMaxPooling3D"
    assert not np.allclose(strongest.predict(VOLUMES, verbose=0), mean.predict(VOLUMES, verbose=0))


def test_a_saved_model_predicts_the_same(build, assert_survives_saving):
    assert_survives_saving(build("cnn_3d", SMALL, input_shape=(6, 9, 7, 1), **SUPPLIED), VOLUMES)


@pytest.mark.parametrize("input_shape", [(5, 5), (), None])
def test_an_input_that_is_no_volume_is_refused(build, input_shape):
    with pytest.raises(ConfigError, match="takes volumes"):
        build("cnn_3d", SMALL, input_shape=input_shape, **SUPPLIED)
