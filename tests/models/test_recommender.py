import keras
import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.structure import FieldSpec

SPEC = {"user": FieldSpec((), "int32", 5), "item": FieldSpec((), "int32", 7)}
IDS = {"user": np.array([0, 4, 2], "int32"), "item": np.array([6, 0, 3], "int32")}


def test_a_prediction_is_mean_plus_biases_plus_dot_product(build):
    model = build("recommender", {"embedding_size": 2, "initial_rating": 3.0}, input_spec=SPEC)
    user, item = np.zeros((5, 2)), np.zeros((7, 2))
    user_bias, item_bias = np.zeros((5, 1)), np.zeros((7, 1))
    user[4], item[0] = [1.0, 2.0], [3.0, -1.0]
    user_bias[4], item_bias[0] = 0.5, -0.25
    tables = {"user_embedding": user, "item_embedding": item, "user_bias": user_bias, "item_bias": item_bias}
    for name, table in tables.items():
        model.get_layer(name).set_weights([table])
    # 3 + (1*3 + 2*-1) + 0.5 - 0.25
    np.testing.assert_allclose(model.predict(IDS, verbose=0), [[3.0], [4.25], [3.0]])


def test_inputs_are_named_as_the_fields(build):
    assert set(build("recommender", input_spec=SPEC).input) == {"user", "item"}


def test_a_saved_recommender_predicts_the_same(build, assert_survives_saving):
    assert_survives_saving(build("recommender", input_spec=SPEC), IDS)


def test_the_penalty_is_on_every_table(build):
    model = build("recommender", {"l2": 0.5}, input_spec=SPEC)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding):
            layer.set_weights([np.ones_like(layer.get_weights()[0])])
    # half of the number of entries: 5 and 7 rows, 16 numbers and a bias each
    np.testing.assert_allclose(float(sum(model.losses)), 0.5 * (5 + 7) * 17)


@pytest.mark.parametrize(
    ("spec", "received"),
    [
        ({"user": SPEC["user"]}, "with the fields `user` of shape (), int32, vocabulary of 5"),
        ({**SPEC, "item": FieldSpec((), "int32")}, "vocabulary unknown"),
        ({**SPEC, "item": FieldSpec((3,), "int32", 7)}, "`item` of shape (3,)"),
        (FieldSpec((3,), "int32", 7), "with one field"),
        (None, "without fields"),
    ],
)
def test_what_does_not_fit_is_refused_and_told(build, spec, received):
    with pytest.raises(ConfigError, match="ids of users and items") as refused:
        build("recommender", input_spec=spec)
    assert received in str(refused.value)


@pytest.mark.long
def test_it_beats_the_mean_on_ratings_that_have_a_taste_in_them(build):
    generator = np.random.default_rng(2)
    tastes, items = generator.normal(size=(30, 2)), generator.normal(size=(40, 2))
    user, item = (part.ravel().astype("int32") for part in np.meshgrid(np.arange(30), np.arange(40), indexing="ij"))
    ratings = 3 + (tastes[user] * items[item]).sum(axis=1)
    order = generator.permutation(len(user))
    train, validation = order[:960], order[960:]
    spec = {"user": FieldSpec((), "int32", 30), "item": FieldSpec((), "int32", 40)}
    model = build("recommender", {"embedding_size": 4, "initial_rating": 3.0}, input_spec=spec)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = {"user": user, "item": item}
    model.fit({n: v[train] for n, v in x.items()}, ratings[train], epochs=40, batch_size=64, verbose=0)
    error = model.evaluate({n: v[validation] for n, v in x.items()}, ratings[validation], verbose=0)
    assert error < 0.5 * np.var(ratings[validation])
