import keras
import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.registry import losses
from seqtrain.structure import FieldSpec

GRAY = FieldSpec((8, 8, 1), "uint8", kind="pixels")
PAIR = {"a": GRAY, "b": GRAY}
TRIPLET = {"anchor": GRAY, "positive": GRAY, "negative": GRAY}
SMALL = {"filters": [4], "embedding_size": 5}


def pictures(names, shape=(3, 8, 8, 1)):
    generator = np.random.default_rng(4)
    return {name: generator.integers(256, size=shape, dtype=np.uint8) for name in names}


def test_a_pair_gives_the_distance_of_its_embeddings(build):
    model, x = build("siamese", SMALL, input_spec=PAIR), pictures(PAIR)
    embed = model.get_layer("embedding")
    first, second = (np.asarray(embed.predict(x[name], verbose=0)) for name in ("a", "b"))
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    distance = model.predict(x, verbose=0)
    assert distance.shape == (3,)
    np.testing.assert_allclose(distance, np.linalg.norm(first - second, axis=1), rtol=1e-4)


def test_a_triplet_gives_its_three_embeddings_in_the_order_of_their_names(build):
    spec = dict(sorted(TRIPLET.items()))  # not the order of the output
    model, x = build("siamese", SMALL, input_spec=spec), pictures(TRIPLET)
    stacked = model.predict(x, verbose=0)
    assert stacked.shape == (3, 3, 5)
    for place, name in enumerate(("anchor", "positive", "negative")):
        np.testing.assert_allclose(stacked[:, place], model.get_layer("embedding").predict(x[name], verbose=0), 1e-5)


def test_equal_pictures_are_no_way_apart_and_their_gradient_is_finite(build):
    model = build("siamese", SMALL, input_spec=PAIR)
    x = dict.fromkeys(PAIR, pictures(["a"])["a"])
    assert model.predict(x, verbose=0).max() < 1e-5
    model.compile("sgd", "mse")
    model.fit(x, np.zeros(3), verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_pictures_share_their_weights(build):
    one = build("siamese", SMALL, input_spec=PAIR).get_layer("embedding")
    for spec in (PAIR, TRIPLET):
        assert build("siamese", SMALL, input_spec=spec).count_params() == one.count_params()


def test_channels_first_is_read_as_such(build):
    x = pictures(PAIR, (3, 8, 8, 3))
    last = build("siamese", SMALL, input_spec=dict.fromkeys(PAIR, FieldSpec((8, 8, 3), "uint8")))
    first = build(
        "siamese",
        SMALL,
        input_spec=dict.fromkeys(PAIR, FieldSpec((3, 8, 8), "uint8")),
        data_format="channels_first",
    )
    first.set_weights(last.get_weights())
    moved = {name: np.moveaxis(field, -1, 1) for name, field in x.items()}
    np.testing.assert_allclose(first.predict(moved, verbose=0), last.predict(x, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("spec", [PAIR, TRIPLET], ids=["pair", "triplet"])
def test_a_saved_siamese_predicts_the_same(build, assert_survives_saving, spec):
    assert_survives_saving(build("siamese", SMALL, input_spec=spec), pictures(spec))


@pytest.mark.parametrize(
    ("spec", "received"),
    [
        (GRAY, "x with one field"),
        ({"a": GRAY}, r"x with \{'a': \(8, 8, 1\)\}"),
        ({"a": GRAY, "b": FieldSpec((9, 8, 1), "uint8")}, r"'b': \(9, 8, 1\)"),
        ({"a": FieldSpec((4,), "float32"), "b": FieldSpec((4,), "float32")}, r"'a': \(4,\)"),
    ],
)
def test_what_is_neither_pair_nor_triplet_is_refused(build, spec, received):
    with pytest.raises(ConfigError, match=rf"takes pairs or triplets of images\n.*\n  received .*{received}"):
        build("siamese", input_spec=spec)


def test_it_learns_to_tell_unseen_pictures_apart_by_the_brighter_half(build):
    generator = np.random.default_rng(6)

    def drawn(left):
        picture = generator.integers(100, size=(len(left), 8, 8, 1))
        picture[:, :, :4] += 80 * left[:, None, None, None]
        picture[:, :, 4:] += 80 * (1 - left[:, None, None, None])
        return picture.astype(np.uint8)

    first, second = generator.integers(2, size=(2, 256))
    x, y = {"a": drawn(first), "b": drawn(second)}, (first == second).astype("int32")
    model = build("siamese", SMALL, input_spec=PAIR)
    model.compile(keras.optimizers.Adam(0.01), losses.get("contrastive").build({}, {}))
    train = {name: field[:192] for name, field in x.items()}
    model.fit(train, y[:192], epochs=8, batch_size=32, verbose=0)
    distance = model.predict({name: field[192:] for name, field in x.items()}, verbose=0)
    assert ((distance < 0.5) == y[192:]).mean() > 0.9
