import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.loading.pipeline import open_data
from seqtrain.registry import losses
from tests.conftest import CONFIGS

# Two pictures of 1x2 pixels, three classes.
IDS = np.array([[[1, 0]], [[2, 1]]], dtype=np.uint8)
PREDICTED = np.array([[[[0.2, 0.5, 0.3], [0.8, 0.1, 0.1]]], [[[0.1, 0.3, 0.6], [0.6, 0.4, 0.0]]]], dtype=np.float32)
OF_TRUTH = [0.5, 0.8, 0.6, 0.4]  # the probability of the true class of each pixel


def loss(name, **arguments):
    return losses.get(name).build(arguments, {"num_classes": 3, "class_names": ("background", "a", "b")})


def value(name, weights=None, **arguments):
    return float(loss(name, **arguments)(ops.convert_to_tensor(IDS), ops.convert_to_tensor(PREDICTED), weights))


def dice_by_hand(weights=(1, 1, 1, 1)):
    """Of classes 1 and 2, with one pixel added above and below."""
    first, second, third, fourth = weights
    one = (2 * (0.5 * first + 0.4 * fourth) + 1) / (
        first + fourth + 0.5 * first + 0.1 * second + 0.3 * third + 0.4 * fourth + 1
    )
    two = (2 * 0.6 * third + 1) / (third + 0.3 * first + 0.1 * second + 0.6 * third + 1)
    return (one + two) / 2


def test_dice_is_one_less_the_mean_overlap_of_the_classes_but_the_background():
    assert value("dice") == pytest.approx(1 - dice_by_hand(), abs=1e-6)


def test_the_background_counts_where_it_is_asked_for():
    background = (2 * 0.8 + 1) / (1 + 0.2 + 0.8 + 0.1 + 0.6 + 1)
    expected = 1 - (background + 2 * dice_by_hand()) / 3
    assert value("dice", include_background=True) == pytest.approx(expected, abs=1e-6)


def test_both_terms_have_their_weights():
    entropy = -np.log(OF_TRUTH).mean()
    expected = 0.5 * entropy + 2 * (1 - dice_by_hand())
    assert value("dice_cross_entropy", cross_entropy_weight=0.5, dice_weight=2.0) == pytest.approx(expected, abs=1e-6)


def test_weights_by_pixel_count_in_both_terms():
    weights = np.array([[[2.0, 1.0]], [[0.5, 0.0]]], dtype=np.float32)
    entropy = -(weights.ravel() * np.log(OF_TRUTH)).sum() / 3.5
    assert value("dice_cross_entropy", weights) == pytest.approx(entropy + 1 - dice_by_hand(weights.ravel()), abs=1e-6)
    assert value("dice_cross_entropy", weights[..., None]) == pytest.approx(value("dice_cross_entropy", weights))


def test_a_weight_for_each_picture_is_that_of_its_pixels():
    by_pixel = np.array([[[3.0, 3.0]], [[1.0, 1.0]]], dtype=np.float32)
    by_picture = np.array([3.0, 1.0], dtype=np.float32)
    assert value("dice_cross_entropy", by_picture) == pytest.approx(value("dice_cross_entropy", by_pixel))


def test_pixels_of_weight_0_are_as_if_they_were_not_there():
    kept = loss("dice_cross_entropy")(IDS[:1], PREDICTED[:1])
    weights = np.array([1.0, 0.0], dtype=np.float32)
    assert value("dice_cross_entropy", weights) == pytest.approx(float(kept), abs=1e-6)


def test_without_any_weight_the_loss_is_finite():
    assert value("dice_cross_entropy", np.zeros(2, np.float32)) == pytest.approx(0.0, abs=1e-6)


def test_a_perfect_prediction_costs_nothing_and_absent_classes_do_not_matter():
    ids = np.ones((1, 4, 4), np.uint8)
    perfect = np.eye(3, dtype=np.float32)[ids]
    assert float(loss("dice_cross_entropy")(ids, perfect)) == pytest.approx(0.0, abs=1e-4)


def test_ids_may_have_a_last_axis_of_one_and_volumes_are_taken_alike():
    volume, probabilities = IDS[:, None, :, :], PREDICTED[:, None]
    assert float(loss("dice_cross_entropy")(volume[..., None], probabilities)) == pytest.approx(
        value("dice_cross_entropy"), abs=1e-6
    )


def test_weights_by_pixel_reach_the_loss_in_fit_and_change_what_is_learned():
    generator = np.random.default_rng(0)
    x = generator.random((16, 4, 4, 1), dtype=np.float32)
    y = (x[..., 0] > 0.5).astype(np.uint8)
    weights = np.where(y == 1, 9.0, 1.0).astype(np.float32)
    found = {}
    for name, given in (("even", np.ones_like(weights)), ("weighted", weights)):
        keras.utils.set_random_seed(3)
        outputs = keras.layers.Conv2D(3, 1, activation="softmax")(inputs := keras.Input((4, 4, 1)))
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(0.2), loss("dice_cross_entropy"))
        history = model.fit(x, y, sample_weight=given, batch_size=16, epochs=3, verbose=0)
        assert history.history["loss"][0] > history.history["loss"][-1]
        found[name] = float(model.predict(x, verbose=0)[..., 1].mean())
    assert found["weighted"] > found["even"] + 0.02


def test_a_compiled_model_is_saved_and_loaded_with_its_loss():
    original = loss("dice_cross_entropy", dice_weight=2.0)
    copy = keras.losses.deserialize(keras.losses.serialize(original))
    assert float(copy(IDS, PREDICTED)) == float(original(IDS, PREDICTED))


@pytest.mark.parametrize("name", ["dice", "dice_cross_entropy"])
def test_targets_without_classes_are_refused(name):
    with pytest.raises(ConfigError, match=f"the loss '{name}' needs at least two classes"):
        losses.get(name).build({}, {"num_classes": None, "class_names": None})


def test_balanced_class_weights_of_a_config_are_weights_of_pixels_that_the_loss_counts():
    folder = CONFIGS.parent / "data_samples" / "shapes" / "masks"
    data = open_data(load_config(CONFIGS / "segmentation.yaml", ["fit.class_weight=balanced"]))
    files = sorted(folder.iterdir())
    ids = []
    for index in data.split.train:
        with Image.open(files[index]) as image:
            ids.append(np.asarray(image))
    counts = np.bincount(np.stack(ids).ravel(), minlength=3)
    by_class = counts.sum() / (3 * counts)
    x, y, weights = data.train.batch(0, 0)
    np.testing.assert_allclose(weights, by_class[y], rtol=1e-5)

    keras.utils.set_random_seed(3)
    outputs = keras.layers.Conv2D(3, 1, activation="softmax")(inputs := keras.Input(x.shape[1:]))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss("dice_cross_entropy"))
    x = x.astype(np.float32) / 255
    guess = model.predict(x, verbose=0)
    there = np.eye(3)[y]
    entropy = -(weights * np.log((guess * there).sum(axis=-1))).sum() / weights.sum()
    overlap = (weights[..., None] * guess * there).sum(axis=(0, 1, 2))[1:]
    sizes = (weights[..., None] * (guess + there)).sum(axis=(0, 1, 2))[1:]
    expected = entropy + 1 - ((2 * overlap + 1) / (sizes + 1)).mean()
    assert float(model.evaluate(x, y, sample_weight=weights, verbose=0)) == pytest.approx(expected, rel=1e-4)
    assert float(model.evaluate(x, y, verbose=0)) != pytest.approx(expected, rel=1e-2)
