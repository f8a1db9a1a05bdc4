import keras
import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.structure import FieldSpec

X = {"numeric": FieldSpec((2,), "float32"), "city part (m²)": FieldSpec((), "int32", vocabulary_size=4)}
Y = {"price": FieldSpec((), "float32"), "kind/flat": FieldSpec((), "int32", classes=("a", "b", "c"))}
ROWS = {"numeric": np.array([[1, 2], [3, 4]], "float32"), "city part (m²)": np.array([0, 3], "int32")}


def test_each_target_has_a_head_of_its_kind(build):
    model = build("tabular", {"units": (5,)}, input_spec=X, output_spec=Y)
    outputs = model.predict(ROWS, verbose=0)
    assert {name: array.shape for name, array in outputs.items()} == {"price": (2, 1), "kind/flat": (2, 3)}
    np.testing.assert_allclose(outputs["kind/flat"].sum(axis=1), 1, rtol=1e-5)


def test_a_row_is_its_embeddings_beside_its_numbers(build):
    spec = FieldSpec((), "float32")
    model = build(
        "tabular", {"units": (1,), "activation": "linear", "embedding_size": 2}, input_spec=X, output_spec=spec
    )
    model.get_layer("embedding_2_city_part_m_").set_weights([np.array([[1, 1], [0, 0], [0, 0], [5, 7]], "float32")])
    model.get_layer("dense_1").set_weights([np.array([[1], [10], [100], [1000]], "float32"), np.zeros(1, "float32")])
    model.get_layer("output").set_weights([np.array([[2]], "float32"), np.array([1], "float32")])
    # 1 + 2 (numbers . (1, 10) + embedding . (100, 1000))
    np.testing.assert_allclose(model.predict(ROWS, verbose=0), [[2243.0], [15087.0]])


def test_losses_and_metrics_are_called_by_the_targets_names(build):
    x = {"numeric": X["numeric"]}
    model = build("tabular", {"units": (4,)}, input_spec=x, output_spec=Y)
    losses = {"price": "mse", "kind/flat": "sparse_categorical_crossentropy"}
    model.compile("adam", losses, metrics={"price": ["mae"], "kind/flat": ["accuracy"]})
    targets = {"price": np.zeros(2, "float32"), "kind/flat": np.array([0, 2])}
    logs = model.evaluate({"numeric": ROWS["numeric"]}, targets, return_dict=True, verbose=0)
    assert set(logs) == {"loss", "price_loss", "kind/flat_loss", "price_mae", "kind/flat_accuracy"}
    # the errors by hand: y (batch,) is compared with the output (batch, 1) row by row
    predicted = model.predict({"numeric": ROWS["numeric"]}, verbose=0)["price"][:, 0]
    np.testing.assert_allclose(logs["price_mae"], np.abs(predicted).mean(), rtol=1e-5)


def test_an_embedding_has_at_most_as_many_numbers_as_its_column_has_values(build):
    model = build("tabular", {"embedding_size": 64}, input_spec=X, output_spec=Y["price"])
    assert model.get_layer("embedding_2_city_part_m_").output_dim == 4


def test_a_saved_model_predicts_the_same(build, assert_survives_saving):
    spec = {"numeric": X["numeric"], "city": X["city part (m²)"]}
    model = build("tabular", {"dropout": 0.5}, input_spec=spec, output_spec=FieldSpec((), "float32"))
    assert_survives_saving(model, {"numeric": ROWS["numeric"], "city": ROWS["city part (m²)"]})


def test_dropout_follows_each_dense_layer(build):
    model = build("tabular", {"units": (4, 3), "dropout": 0.25}, input_spec=X, output_spec=Y)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.25]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (FieldSpec((3,), "float32"), Y),
        ({}, Y),
        ({"picture": FieldSpec((8, 8, 1), "uint8")}, Y),
        ({"ids": FieldSpec((3,), "int32", vocabulary_size=4)}, Y),
        (X, FieldSpec((4, 2), "float32")),
        (X, None),
    ],
)
def test_what_is_no_table_is_refused(build, x, y):
    with pytest.raises(ConfigError, match="the model 'tabular' takes numbers and categories"):
        build("tabular", input_spec=x, output_spec=y)
