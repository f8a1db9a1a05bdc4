import pickle

import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.loading.bad_samples import write_rows
from seqtrain.sequences.image_triplets import ImageTripletSequence
from tests.sequences.building import build
from tests.sequences.numbered_images import numbered_images, shown


def triplets(source, indices=None, **options):
    arguments = {"batch_size": 8, "seed": 7, "training": True, "image_size": (4, 4), "color": "gray", **options}
    return build(ImageTripletSequence, source, np.arange(len(source)) if indices is None else indices, **arguments)


def epoch_of(sequence, epoch):
    """Anchors, positives, negatives and labels of a whole epoch."""
    batches = [sequence.batch(epoch, position) for position in range(len(sequence))]
    fields = [
        np.concatenate([shown(x[name]) for x, _ in batches]).astype(int) for name in ("anchor", "positive", "negative")
    ]
    return (*fields, np.concatenate([y for _, y in batches]))


@pytest.fixture
def source(tmp_path):
    return numbered_images(tmp_path / "images", [6, 7, 5, 8])


@pytest.mark.parametrize("training", [True, False])
def test_every_sample_is_anchor_once_beside_one_of_its_class_and_one_of_another(source, training):
    indices = np.delete(np.arange(26), [3, 9, 20])
    sequence = triplets(source, indices, training=training)
    for epoch in (0, 1):
        anchor, positive, negative, y = epoch_of(sequence, epoch)
        assert sorted(anchor) == indices.tolist()
        assert set(positive) | set(negative) <= set(indices)
        assert np.array_equal(y, source.labels[anchor])
        assert np.array_equal(y, source.labels[positive])
        assert (y != source.labels[negative]).all()
        assert (anchor != positive).all()


def test_triplets_change_between_epochs_of_training_and_not_of_validation(source):
    for training in (True, False):
        sequence = triplets(source, training=training)
        one, other = ({a: rest for a, *rest in zip(*epoch_of(sequence, epoch), strict=True)} for epoch in (0, 1))
        changed = sum(one[sample] != other[sample] for sample in one)
        assert changed > 18 if training else changed == 0


def test_triplets_depend_on_seed_epoch_and_sample_alone(source):
    sequence, whole = triplets(source), triplets(source, batch_size=26)
    again = pickle.loads(pickle.dumps(sequence))
    for name in ("anchor", "positive", "negative"):
        expected = sequence.batch(2, 1)[0][name]
        assert np.array_equal(whole.batch(2, 0)[0][name][8:16], expected)
        assert np.array_equal(again.batch(2, 1)[0][name], expected)


def test_triplets_without_augmentation_are_the_same_triplets(source):
    (x, y), (plain_x, plain_y) = triplets(source, brightness=0.5).without_augmentation()[1], triplets(source)[1]
    assert [shown(field) for field in x.values()] == [shown(field) for field in plain_x.values()]
    assert np.array_equal(y, plain_y)


def test_classes_of_one_sample_are_named(tmp_path):
    source = numbered_images(tmp_path / "images", [1, 3, 1, 2])
    with pytest.raises(
        DataError, match=r"2 of 4 classes have one sample .* training.*\n  received classes class_0, class_2\n"
    ):
        triplets(source)


def test_an_image_that_is_skipped_costs_its_own_sample_alone_in_all_epochs(source, tmp_path):
    (tmp_path / "images" / "class_1" / "002.png").write_bytes(b"torn")  # sample 8
    sequence = triplets(source)
    with pytest.raises(DataError, match=r"002\.png"):
        epoch_of(sequence, 0)
    sequence.skips_bad_samples = True
    for epoch in range(6):
        rows = sequence.allocate(26)
        bad = write_rows(sequence, sequence.indices, epoch, rows)
        assert [sample.index for sample in bad] == [8]
        first, *others = (source.labels[shown(rows[0][name])] for name in ("anchor", "positive", "negative"))
        assert np.array_equal(first, others[0]) and not (first == others[1]).any()
