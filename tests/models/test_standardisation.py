"""Models that are told mean and deviation of the channels see what was standardised by hand."""

import numpy as np
import pytest

from seqtrain.errors import ConfigError

ARGUMENTS = {"cnn": {"filters": (4,)}, "unet": {"filters": (4, 8)}, "mlp": {"units": (8,)}}
MEAN, STD = (400.0, 30.0), (300.0, 7.0)
VOXELS = np.random.default_rng(5).integers(0, 4000, (4, 8, 12, 2), dtype=np.uint16)
STANDARDISED = ((VOXELS - np.array(MEAN)) / np.array(STD)).astype(np.float32)


def supplied(name, shape=(8, 12, 2), data_format="channels_last"):
    common = {"input_shape": shape, "num_classes": 3}
    return common if name == "mlp" else {**common, "data_format": data_format}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_model_standardises_what_it_is_given(build, name):
    plain = build(name, ARGUMENTS[name], input_dtype="float32", **supplied(name))
    told = build(name, {**ARGUMENTS[name], "mean": MEAN, "std": STD}, input_dtype="uint16", **supplied(name))
    told.set_weights(plain.get_weights())
    expected = plain.predict(STANDARDISED, verbose=0)
    np.testing.assert_allclose(told.predict(VOXELS, verbose=0), expected, atol=1e-4)


def test_channels_may_come_first(build):
    told = {**ARGUMENTS["cnn"], "mean": MEAN, "std": STD}
    last = build("cnn", told, input_dtype="uint16", **supplied("cnn"))
    first = build("cnn", told, input_dtype="uint16", **supplied("cnn", (2, 8, 12), "channels_first"))
    first.set_weights(last.get_weights())
    transposed = np.ascontiguousarray(VOXELS.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first.predict(transposed, verbose=0), last.predict(VOXELS, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"mean": MEAN}, "mean without std"),
        ({"std": STD}, "std without mean"),
        ({"mean": (1.0, 2.0, 3.0), "std": STD}, "model.mean: its number is not that of the channels"),
    ],
)
def test_what_does_not_fit_is_refused(build, wrong, told):
    with pytest.raises(ConfigError, match=told):
        build("cnn", {**ARGUMENTS["cnn"], **wrong}, input_dtype="uint16", **supplied("cnn"))
