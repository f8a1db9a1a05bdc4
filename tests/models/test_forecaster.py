import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.structure import FieldSpec

Y = FieldSpec((2, 1), "float32", kind="series")


def test_a_forecast_begins_as_a_linear_map_of_the_window(build):
    model = build("forecaster", {"filters": (4,)}, input_shape=(3, 1), output_spec=Y)
    weights = np.array([[1, 0], [10, 0], [100, 2]], "float32")
    model.get_layer("linear").set_weights([weights, np.array([0, 0.5], "float32")])
    # 1*1 + 2*10 + 3*100 for the first step, 3*2 + 0.5 for the second
    np.testing.assert_allclose(model.predict(np.array([[[1], [2], [3]]], "float32"), verbose=0), [[[321], [6.5]]])


def test_the_convolutions_add_to_it(build):
    model = build("forecaster", {"filters": (1,), "kernel_size": 2}, input_shape=(3, 1), output_spec=Y)
    model.get_layer("linear").set_weights([np.zeros((3, 2), "float32"), np.zeros(2, "float32")])
    model.get_layer("convolution_1").set_weights([np.array([[[-1]], [[1]]], "float32"), np.zeros(1, "float32")])
    model.get_layer("correction").set_weights([np.eye(3, 2, dtype="float32"), np.zeros(2, "float32")])
    # causal differences of 5, 3, 7 are 5, -2, 4; without what is negative 5, 0, 4
    np.testing.assert_allclose(model.predict(np.array([[[5], [3], [7]]], "float32"), verbose=0), [[[5], [0]]])


def test_without_filters_it_is_linear(build):
    model = build("forecaster", {"filters": ()}, input_shape=(6, 2), output_spec=FieldSpec((4, 2), "float32"))
    assert model.count_params() == 12 * 8 + 8
    assert model.output_shape == (None, 4, 2)


def test_a_saved_forecaster_predicts_the_same(build, assert_survives_saving):
    model = build("forecaster", {"dropout": 0.2}, input_shape=(8, 2), output_spec=Y)
    assert_survives_saving(model, np.random.default_rng(1).normal(size=(3, 8, 2)).astype("float32"))


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((8, 8, 3), Y),
        ((8,), Y),
        ((8, 2), FieldSpec((), "float32")),
        ((8, 2), {"load": Y}),
        ((8, 2), FieldSpec((4, 4), "uint8", kind="mask", classes=("a", "b"))),
        ((8, 2), None),
    ],
)
def test_what_is_no_series_is_refused(build, shape, spec):
    with pytest.raises(ConfigError, match="the model 'forecaster' takes one series and forecasts another"):
        build("forecaster", input_shape=shape, output_spec=spec)
