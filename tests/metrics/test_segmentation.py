import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from seqtrain.errors import ConfigError
from seqtrain.registry import metrics

NAMES = ("background", "round thing", "square", "absent")


def metric(name, **arguments):
    return metrics.get(name).build(arguments, {"num_classes": 4, "class_names": NAMES})


def predicted(ids):
    """Probabilities that are highest at these ids."""
    return (0.1 + 0.6 * np.eye(4)[ids]).astype(np.float32)


def numbers(result):
    return {name: float(value) for name, value in result.items()}


# Two batches of one picture of 2x3 pixels.
THERE = np.array([[[0, 0, 1], [1, 1, 2]], [[0, 0, 0], [0, 2, 2]]], dtype=np.uint8)
FOUND = np.array([[[0, 1, 1], [1, 0, 2]], [[0, 0, 0], [2, 2, 0]]])


def after_both_batches(name, weights=(None, None), **arguments):
    over = metric(name, **arguments)
    for ids, guess, weight in zip(THERE, FOUND, weights, strict=True):
        over.update_state(ids[None], predicted(guess)[None], weight)
    return numbers(over.result())


def test_iou_is_that_of_the_whole_epoch_and_not_the_mean_of_the_batches():
    # background: 4 of 8; thing: 2 of 4; square: 2 of 4. The mean of the batches would be (4/9 + 1/2) / 2.
    expected = {"mean_iou": (4 / 8 + 2 / 4 + 2 / 4) / 3, "iou_background": 4 / 8, "iou_round_thing": 2 / 4}
    result = after_both_batches("mean_iou")
    assert {name: result[name] for name in expected} == pytest.approx(expected)
    assert result["iou_square"] == pytest.approx(2 / 4)


def test_a_class_that_is_in_neither_is_left_out_of_the_mean_and_has_no_value():
    assert np.isnan(after_both_batches("mean_iou")["iou_absent"])


def test_values_are_those_of_scikit_learn():
    generator = np.random.default_rng(4)
    there, found = generator.integers(0, 4, (2, 5, 8, 8))
    weights = generator.random((5, 8, 8)).astype(np.float32)
    flat = {"y_true": there.ravel(), "y_pred": found.ravel(), "sample_weight": weights.ravel(), "average": None}
    for name, reference in (("mean_iou", jaccard_score(**flat)), ("dice_coefficient", f1_score(**flat))):
        over = metric(name, include_background=False)
        for part in (slice(0, 2), slice(2, 5)):
            over.update_state(there[part].astype(np.uint8), predicted(found[part]), weights[part])
        result = list(numbers(over.result()).values())
        assert result == pytest.approx([reference[1:].mean(), *reference], abs=1e-6)


def test_pixels_of_weight_0_do_not_count_and_a_weight_may_be_that_of_a_picture():
    # of the second picture nothing counts; of the first all but the wrong pixels
    right = (THERE[0] == FOUND[0]).astype(np.float32)
    result = after_both_batches("mean_iou", (right[None], np.zeros(1, np.float32)))
    assert result["mean_iou"] == pytest.approx(1.0)
    assert after_both_batches("mean_iou", (right[None, ..., None], np.zeros(1, np.float32))) == pytest.approx(
        result, nan_ok=True
    )


def test_more_pixels_than_a_float32_can_count_one_by_one_are_counted():
    over = metrics.get("mean_iou").build({}, {"num_classes": 2, "class_names": NAMES[:2]})
    there = np.zeros((1, 4100, 4100), np.uint8)  # 16.81 million; ones added one by one would stop at 2 ** 24
    over.update_state(there, np.broadcast_to(np.array([1, 0], np.float32), (*there.shape, 2)))
    assert float(over.true_pixels[0]) == there.size


def test_an_id_of_no_class_counts_for_none():
    over = metric("mean_iou")
    over.update_state(np.array([[[1, 200]]]), predicted(np.array([[[1, 2]]])))
    assert [np.asarray(over.true_pixels).tolist(), np.asarray(over.predicted_pixels).tolist()] == [
        [0, 1, 0, 0],
        [0, 1, 1, 0],
    ]


def test_dice_leaves_the_background_out_of_its_mean():
    result = after_both_batches("dice_coefficient")
    assert result["dice_coefficient"] == pytest.approx((4 / 6 + 4 / 6) / 2)
    assert result["dice_background"] == pytest.approx(8 / 12)


def test_the_classes_can_be_left_out_of_the_logs():
    assert list(after_both_batches("mean_iou", per_class=False)) == ["mean_iou"]


def test_another_name_is_that_of_the_classes_too():
    result = after_both_batches("mean_iou", log_as="weighted_iou")
    assert list(result)[:2] == ["weighted_iou", "weighted_iou_background"]


def test_an_epoch_begins_anew_after_reset_and_without_pixels_nothing_is_nan_but_the_classes():
    over = metric("mean_iou")
    over.update_state(THERE[:1], predicted(FOUND[:1]))
    over.reset_state()
    assert numbers(over.result())["mean_iou"] == 0


def test_fit_logs_the_mean_and_each_class():
    x = THERE[..., None].astype(np.float32)
    outputs = keras.layers.Conv2D(4, 1, activation="softmax")(inputs := keras.Input((2, 3, 1)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric("mean_iou")], weighted_metrics=[])
    history = model.fit(x, THERE, validation_data=(x, THERE), verbose=0, batch_size=1).history
    assert {"mean_iou", "iou_round_thing", "val_mean_iou", "val_iou_square"} <= set(history)


def test_a_saved_metric_is_the_same():
    original = metric("dice_coefficient", include_background=True, per_class=False)
    copy = keras.metrics.deserialize(keras.metrics.serialize(original))
    assert copy.get_config() == original.get_config()


@pytest.mark.parametrize("name", ["mean_iou", "dice_coefficient"])
def test_targets_without_classes_are_refused(name):
    with pytest.raises(ConfigError, match=f"the metric '{name}' needs at least two classes"):
        metrics.get(name).build({}, {"num_classes": None, "class_names": None})
