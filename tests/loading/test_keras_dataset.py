"""What `fit` is given: batches whose shapes Keras knows before training."""

import keras
import numpy as np
import pytest

from seqtrain.errors import WorkerError
from seqtrain.loading.keras_dataset import TrainingDataset, ValidationDataset
from seqtrain.loading.order import training_schedule, validation_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.keras_style import as_sequence
from tests.loading.test_stream import NumbersSequence

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="shapes are fixed with TensorFlow only")


class Texts:
    """Batches of 4 texts, each batch as long as its longest text."""

    def __init__(self, lengths):
        self.lengths = lengths

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        x = np.full((4, self.lengths[index]), index, np.int32)
        return {"text": x, "age": np.zeros((4, 1), np.float32)}, np.zeros((4, 1), np.float32)


def model_of(text_length):
    text, age = keras.Input((text_length,), name="text", dtype="int32"), keras.Input((1,), name="age")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 3)(text))
    model = keras.Model({"text": text, "age": age}, keras.layers.Dense(1)(keras.layers.concatenate([pooled, age])))
    model.compile("sgd", "mse")
    return model


def fit(lengths, model, workers=2):
    sequence = as_sequence(Texts(lengths), seed=0, training=False)
    with BatchStream(sequence, training_schedule(len(lengths)), WorkerOptions(workers), end=len(lengths)) as stream:
        dataset = TrainingDataset(stream, model)
        try:
            model.fit(dataset.for_fit(), steps_per_epoch=len(lengths), shuffle=False, verbose=0)
        except Exception:
            if dataset.error is not None:
                raise dataset.error from None
            raise
        return dataset.take_timings(len(lengths) + 1)


def test_axes_that_are_none_in_the_model_may_vary_though_the_first_two_batches_are_alike():
    timings = fit([5, 5, 7, 3], model_of(None))
    assert [timing.step for timing in timings[:4]] == [0, 1, 2, 3]


@pytest.mark.parametrize("lengths", [[5, 5, 5, 7, 5], [5, 7]])
def test_a_batch_that_the_model_cannot_take_is_named_with_its_shapes(lengths):
    message = f"batch {lengths.index(7)} of epoch 0 differs in shape from the first batch"
    with pytest.raises(WorkerError, match=message) as raised:
        fit(lengths, model_of(5))
    assert "expected x.text (None, 5), x.age (None, 1), y (None, 1)" in str(raised.value)
    assert "received x.text (None, 7), x.age (None, 1), y (None, 1)" in str(raised.value)


def test_a_batch_with_the_names_of_its_inputs_in_another_order_is_the_same_batch():
    class Turned(Texts):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return (dict(reversed(x.items())) if index == 2 else x), y

    sequence = as_sequence(Turned([5, 5, 5]), seed=0, training=False)
    with BatchStream(sequence, training_schedule(3), WorkerOptions(1), end=3) as stream:
        batches = list(TrainingDataset(stream, model_of(5)).for_fit().take(3))
    assert [batch[0]["text"].shape[1] for batch in batches] == [5, 5, 5]


def test_a_validation_of_one_batch_repeats_it_and_makes_no_other_first():
    sequence = as_sequence(Texts([5]), seed=0, training=False)
    with BatchStream(sequence, validation_schedule(1), WorkerOptions(0)) as stream:
        dataset = ValidationDataset(stream, 1, model_of(5)).for_fit()
        assert int(dataset.cardinality()) == 1
        assert stream.position == 1
        assert [len(list(dataset)) for _ in range(3)] == [1, 1, 1]


def test_no_batch_follows_one_that_failed():
    class Damaged(Texts):
        def __getitem__(self, index):
            if index == 2:
                raise OSError("this file is damaged")
            return super().__getitem__(index)

    sequence = as_sequence(Damaged([5] * 9), seed=0, training=False)
    with BatchStream(sequence, training_schedule(9), WorkerOptions(2), end=9) as stream:
        dataset = TrainingDataset(stream, model_of(5))
        batches, seen = iter(dataset.for_fit()), []
        for _ in range(5):
            try:
                seen.append(next(batches)[1].shape[0])
            except Exception:
                seen.append("failed")
        assert seen == [4, 4, "failed", "failed", "failed"]
        assert [timing.step for timing in dataset.take_timings(9)] == [0, 1]


def test_shapes_that_a_spec_tells_are_known_without_a_batch():
    sequence = NumbersSequence()
    with BatchStream(sequence, validation_schedule(7), WorkerOptions(0)) as stream:
        dataset = ValidationDataset(stream, 7).for_fit()
        assert stream.position == 0
        batches = list(dataset.as_numpy_iterator())
    assert [len(y) for _, y in batches] == [8] * 6 + [2]
    for batch, number in zip(batches, range(7), strict=True):
        assert np.array_equal(batch[0], sequence.batch(0, number)[0])
