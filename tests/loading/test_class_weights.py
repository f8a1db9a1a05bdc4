import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from seqtrain.errors import ConfigError, DataError, SeqtrainError
from seqtrain.loading.class_weights import class_weights, weights_of_targets
from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.weighted_sequence import ClassWeightedSequence
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.base import BatchSequence
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec


class Labelled(Source):
    def __init__(self, labels):
        self.labels = np.asarray(labels)

    def __len__(self):
        return len(self.labels)


class Batches(BatchSequence):
    """A sequence of one batch."""

    def __init__(self, *batch):
        self._batch = batch

    def __len__(self):
        return 1

    def batch(self, epoch, position):
        return self._batch


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    weights = class_weights("balanced", Labelled(labels), np.arange(100), ("a", "b", "c"))
    assert np.allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=labels))


def test_weights_are_named_by_class_or_by_index():
    weights = class_weights({"dog": 3.0, "0": 2.0}, Labelled([0]), np.arange(1), ("cat", "dog", "cow"))
    assert weights.tolist() == [2.0, 3.0, 1.0]


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="no class 'dgo'(?s:.*)did you mean 'dog'"):
        class_weights({"dgo": 3.0}, Labelled([0]), np.arange(1), ("cat", "dog"))


@pytest.mark.parametrize("y", [np.array([1, 0, 1]), np.array([[1], [0], [1]]), np.eye(2)[[1, 0, 1]]])
def test_each_sample_has_the_weight_of_its_class(y):
    weighted = ClassWeightedSequence(Batches(np.zeros(3), y), np.array([2.0, 5.0], np.float32))
    assert weighted.batch(0, 0)[2].tolist() == [5.0, 2.0, 5.0]


def test_own_weights_are_multiplied():
    weighted = ClassWeightedSequence(
        Batches(np.zeros(2), np.array([0, 1]), np.array([[1.0], [0.5]])), np.array([2.0, 4.0])
    )
    assert weighted.batch(0, 0)[2].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("y", "error", "told"),
    [
        (np.zeros((2, 4, 4), int), ConfigError, "one class for each sample"),
        ({"a": np.zeros(2)}, ConfigError, "several outputs"),
        (np.array([0, -1]), DataError, "outside the 2 classes"),
        (np.array([0, 2]), DataError, "outside the 2 classes"),
    ],
)
def test_targets_that_are_no_classes_are_told_and_stop_the_loader(y, error, told):
    weighted = ClassWeightedSequence(Batches(np.zeros(2), y), np.ones(2, np.float32))
    for workers in (0, 2):
        with BatchStream(weighted, training_schedule(1), WorkerOptions(workers)) as stream:
            with pytest.raises(SeqtrainError, match=told) as caught:
                stream.take()
            assert isinstance(caught.value, error)


class Masks(Source):
    """A source of masks."""

    classes = ("background", "lesion")

    def __init__(self, masks):
        self._masks = masks

    def __len__(self):
        return len(self._masks)

    def class_counts(self, indices):
        return np.bincount(self._masks[indices].ravel(), minlength=2)


def with_spec(spec, *batch):
    sequence = Batches(*batch)
    sequence.spec = spec
    sequence.class_names = None if isinstance(spec[1], dict) else spec[1].classes
    return sequence


MASK = FieldSpec((2, 2), "uint8", kind="mask", classes=("background", "lesion"))


def test_each_pixel_of_a_mask_has_the_weight_of_its_class():
    masks = np.array([[[0, 0], [0, 1]], [[0, 0], [0, 0]], [[1, 1], [1, 1]]], np.uint8)
    sequence = with_spec((FieldSpec((2, 2, 1), "uint8"), MASK), np.zeros((2, 2, 2, 1)), masks[:2])
    weights = weights_of_targets("balanced", Masks(masks), np.array([0, 1]), sequence)
    assert weights.tolist() == pytest.approx([8 / (2 * 7), 8 / (2 * 1)])  # of the training samples alone
    weighted = ClassWeightedSequence(sequence, np.array([1.0, 4.0], np.float32))
    assert weighted.batch(0, 0)[2].tolist() == [[[1, 1], [1, 4]], [[1, 1], [1, 1]]]
    assert weighted.spec[2] == FieldSpec((2, 2), "float32")


@pytest.mark.parametrize("own", [np.array([2.0, 3.0]), np.array([[2.0], [3.0]])])
def test_weights_are_masks_are_multiplied_by_those_of_their_samples(own):
    masks = np.array([[[0, 0], [0, 1]], [[0, 0], [0, 0]]], np.uint8)
    sequence = with_spec((None, MASK), np.zeros(2), masks, own)
    sequence.spec = (FieldSpec((), "uint8"), MASK, FieldSpec((), "float32"))
    weighted = ClassWeightedSequence(sequence, np.array([1.0, 4.0], np.float32))
    assert weighted.batch(0, 0)[2].tolist() == [[[2, 2], [2, 8]], [[3, 3], [3, 3]]]


class Flats(Source):
    kinds = np.array([0, 0, 0, 1])

    def __len__(self):
        return 4

    def column(self, name):
        return {"kind": self.kinds}[name]


OUTPUTS = {"kind": FieldSpec((), "int32", classes=("flat", "house")), "price": FieldSpec((), "float32")}


def test_each_output_has_weights_of_its_own():
    y = {"kind": Flats.kinds, "price": np.ones(4)}
    sequence = with_spec((FieldSpec((), "float32"), OUTPUTS), np.zeros(4), y)
    weights = weights_of_targets({"kind": "balanced"}, Flats(), np.arange(4), sequence)
    weight = ClassWeightedSequence(sequence, weights).batch(0, 0)[2]
    assert weight["kind"].tolist() == pytest.approx([4 / 6, 4 / 6, 4 / 6, 2])
    assert weight["price"].tolist() == [1, 1, 1, 1]
    given = weights_of_targets({"kind": {"house": 3.0}}, Flats(), np.arange(4), sequence)
    assert given["kind"].tolist() == [1, 3]


class Scenes(Source):
    """Masks, and no table."""

    classes = ("ground", "thing")

    def __len__(self):
        return 4

    def class_counts(self, indices):
        return np.array([3, 1]) * len(indices)


def test_an_output_that_is_a_mask_is_weighted_by_its_pixels():
    outputs = {"mask": FieldSpec((2, 2), "uint8", kind="mask", classes=Scenes.classes), "kind": OUTPUTS["kind"]}
    sequence = with_spec((FieldSpec((), "float32"), outputs), np.zeros(4), {})
    weights = weights_of_targets({"mask": "balanced"}, Scenes(), np.arange(4), sequence)
    assert weights["mask"].tolist() == pytest.approx([4 / 6, 2])
    with pytest.raises(ConfigError, match="one class label per sample, by the output's name 'kind'"):
        weights_of_targets({"kind": "balanced"}, Scenes(), np.arange(4), sequence)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("balanced", "several outputs(?s:.*)kind, price"),
        ({"house": 2.0}, "several outputs"),
        ({"knd": "balanced"}, "no output 'knd'(?s:.*)did you mean 'kind'"),
        ({"price": "balanced"}, "needs targets that are classes"),
    ],
)
def test_weights_of_outputs_that_do_not_fit_are_refused(config, told):
    sequence = with_spec((FieldSpec((), "float32"), OUTPUTS), np.zeros(4), {})
    with pytest.raises(ConfigError, match=told):
        weights_of_targets(config, Flats(), np.arange(4), sequence)


def test_outputs_without_names_are_refused():
    sequence = with_spec((FieldSpec((), "float32"), OUTPUTS), np.zeros(4), {})
    sequence.spec = (FieldSpec((), "float32"), tuple(OUTPUTS.values()))
    for config in ("balanced", {"kind": "balanced"}, {"flat": 2.0}):
        with pytest.raises(ConfigError, match="needs outputs with names"):
            weights_of_targets(config, Flats(), np.arange(4), sequence)


def test_balanced_weights_are_refused_where_the_sequence_makes_targets_of_its_own():
    pairs = with_spec((FieldSpec((), "float32"), FieldSpec((), "int32", classes=("other", "same"))), np.zeros(4), {})
    source = Labelled([0, 1])
    source.classes = ("cat", "dog")
    with pytest.raises(ConfigError, match="makes targets of its own"):
        weights_of_targets("balanced", source, np.arange(2), pairs)
    assert weights_of_targets({"same": 2.0}, source, np.arange(2), pairs).tolist() == [1, 2]


def test_weights_by_output_are_refused_where_there_is_one():
    sequence = with_spec((FieldSpec((), "float32"), FieldSpec((), "int32", classes=("a", "b"))), np.zeros(4), {})
    with pytest.raises(ConfigError, match="this run has one"):
        weights_of_targets({"kind": "balanced"}, Labelled([0, 1]), np.arange(2), sequence)
