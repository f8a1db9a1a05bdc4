from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from seqtrain.callbacks.one_shot import OneShotAccuracy, draw_tasks
from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import callbacks
from seqtrain.sequences.class_members import ClassMembers
from seqtrain.sequences.image_pairs import ImagePairSequence
from seqtrain.sequences.image_triplets import ImageTripletSequence
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.pair_manifest import PairManifestSource
from tests.sequences.building import build
from tests.sequences.numbered_images import numbered_images

GLYPHS = Path(__file__).parents[2] / "data_samples" / "glyphs"


def sequence_of(source, kind=ImagePairSequence, size=(4, 4)):
    return build(kind, source, np.arange(len(source)), 8, 7, False, image_size=size, color="gray")


def model_with(embedding):
    """A model with the layer `embedding`, which gives `embedding(picture)`."""
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    return keras.Sequential([keras.Model(inputs, embedding(keras.ops.cast(inputs, "float32")), name="embedding")])


def mean_pixel(picture):
    return keras.ops.mean(picture, axis=(1, 2))


@pytest.fixture
def source(tmp_path):
    return numbered_images(tmp_path / "images", [3, 4, 1, 5, 2])


def test_a_task_asks_once_for_each_of_its_classes_with_two_samples_of_each(source):
    tasks = draw_tasks(ClassMembers(source, np.arange(15)), 3, 100, seed=7)
    assert len(tasks) == 34
    for task in tasks:
        assert np.array_equal(source.labels[task.support], source.labels[task.query])
        assert len(set(source.labels[task.support])) == 3
        assert 2 not in source.labels[task.support]  # it has a single sample
        assert (task.support != task.query).all()
    shown = {sample for task in tasks for sample in (*task.support, *task.query)}
    assert shown == set(range(15)) - {7}


def test_trials_depend_on_the_seed_alone(source):
    members = ClassMembers(source, np.arange(15))
    one, again, other = (draw_tasks(members, 3, 30, seed) for seed in (7, 7, 8))
    assert all(np.array_equal(a.query, b.query) for a, b in zip(one, again, strict=True))
    assert any(not np.array_equal(a.query, b.query) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", [ImagePairSequence, ImageTripletSequence])
def test_nearest_neighbours_are_counted_as_scikit_learn_finds_them(tmp_path, kind):
    source = numbered_images(tmp_path / "some", [3, 4, 5, 2])
    callback = OneShotAccuracy(sequence_of(source, kind), ways=3, num_trials=60)
    callback.set_model(model_with(mean_pixel))
    right = []
    for task in callback.tasks:
        nearest = KNeighborsClassifier(1).fit(task.support[:, None], source.labels[task.support])
        right.append(nearest.score(task.query[:, None], source.labels[task.query]))
    assert 0.4 < np.mean(right) < 1
    assert callback.accuracy() == pytest.approx(np.mean(right))


def test_classes_far_apart_are_all_told_and_equal_embeddings_are_chance(tmp_path):
    source = numbered_images(tmp_path / "images", [2] * 20)
    callback = OneShotAccuracy(sequence_of(source))
    callback.set_model(model_with(lambda picture: keras.ops.floor(mean_pixel(picture) / 2)))
    assert callback.accuracy() == 1
    callback.set_model(model_with(lambda picture: 0 * mean_pixel(picture)))
    assert callback.accuracy() == 1 / 20


def test_an_evaluation_is_told_what_it_announces(source):
    callback = callbacks.get("one_shot").build({"ways": 4, "num_trials": 8}, {"val_sequence": sequence_of(source)})
    callback.set_model(model_with(mean_pixel))
    logs = {"loss": 0.5}
    callback.on_test_end(logs)
    assert callback.adds_logs == tuple(f"val_{name}" for name in logs if name != "loss")
    assert 0 <= logs["one_shot_accuracy"] <= 1


def test_too_many_ways_are_refused_with_how_many_there_may_be(source):
    with pytest.raises(ConfigError, match=r"20-way .*\n  received 4 such classes\n  fix: set `ways: 4`"):
        OneShotAccuracy(sequence_of(source))


@pytest.mark.parametrize("kind", [ImagePairSequence, ImageTripletSequence])
def test_samples_that_the_run_skips_are_in_no_trial(tmp_path, kind):
    source = numbered_images(tmp_path / "images", [4, 4, 3])
    (tmp_path / "images" / "class_1" / "002.png").write_bytes(b"torn")  # sample 6
    sequence = sequence_of(source, kind)
    callback = OneShotAccuracy(sequence, ways=3, num_trials=60)
    callback.set_model(model_with(mean_pixel))
    assert any(6 in (*task.support, *task.query) for task in callback.tasks)
    with pytest.raises(DataError, match=r"002\.png"):
        callback.accuracy()
    sequence.skips_bad_samples = True
    right = [
        KNeighborsClassifier(1)
        .fit(task.support[:, None], source.labels[task.support])
        .score(task.query[:, None], source.labels[task.query])
        for task in draw_tasks(ClassMembers(source, np.delete(np.arange(11), 6)), 3, 60, seed=7)
    ]
    assert callback.accuracy() == pytest.approx(np.mean(right))


def test_pairs_as_a_table_lists_them_are_refused():
    """Their labels say whether two pictures are alike, and are no classes to be told apart."""
    source = PairManifestSource(GLYPHS / "pairs.csv")
    with pytest.raises(ConfigError, match="needs the class of each picture, and the source lists pairs"):
        OneShotAccuracy(sequence_of(source), ways=2)


def test_a_run_without_validation_is_refused():
    with pytest.raises(ConfigError, match="one_shot needs validation"):
        OneShotAccuracy(None)


def test_a_model_without_an_embedding_is_refused(source):
    callback = OneShotAccuracy(sequence_of(source), ways=4)
    callback.set_model(keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()], name="other"))
    with pytest.raises(ConfigError, match=r"layer 'embedding'.*\n  received the model 'other'"):
        callback.on_test_end({})


def test_pixels_alone_tell_few_of_the_shipped_characters():
    """The bounds of the configs in tests/test_configs.py are above what this finds."""
    callback = OneShotAccuracy(sequence_of(ImageFolderSource(GLYPHS), size=(28, 28)))
    inputs = keras.Input((28, 28, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.ops.cast(inputs, "float32"))
    callback.set_model(keras.Sequential([keras.Model(inputs, flat, name="embedding")]))
    assert callback.accuracy() < 0.45
