import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import ConfigError, DataError
from seqtrain.loading.bad_samples import write_rows
from seqtrain.sequences.image_pairs import ImagePairSequence
from seqtrain.sources.base import Source
from seqtrain.sources.image_folder import ImageFolderSource
from seqtrain.sources.pair_manifest import PairManifestSource
from tests.sequences.building import build
from tests.sequences.numbered_images import numbered_images, shown

GLYPHS = Path(__file__).parents[2] / "data_samples" / "glyphs"


def pairs(source, indices=None, **options):
    arguments = {"batch_size": 8, "seed": 7, "training": True, "image_size": (4, 4), "color": "gray", **options}
    return build(ImagePairSequence, source, np.arange(len(source)) if indices is None else indices, **arguments)


def epoch_of(sequence, epoch):
    """Anchors, partners and labels of a whole epoch."""
    batches = [sequence.batch(epoch, position) for position in range(len(sequence))]
    return (
        np.concatenate([shown(x["a"]) for x, _ in batches]),
        np.concatenate([shown(x["b"]) for x, _ in batches]),
        np.concatenate([y for _, y in batches]),
    )


@pytest.fixture
def source(tmp_path):
    return numbered_images(tmp_path / "images", [6, 7, 5, 8])


@pytest.mark.parametrize("training", [True, False])
def test_every_sample_is_anchor_once_and_half_of_the_pairs_are_of_one_class(source, training):
    sequence = pairs(source, training=training)
    for epoch in (0, 1):
        first, second, labels = epoch_of(sequence, epoch)
        assert sorted(first) == list(range(26))
        assert labels.sum() == 13
        assert np.array_equal(source.labels[first] == source.labels[second], labels == 1)
        assert not (first == second).any()


def test_a_batch_is_balanced_to_within_one_pair(source):
    sequence = pairs(source)
    for epoch in range(5):
        assert {int(sequence.batch(epoch, position)[1].sum()) for position in range(3)} == {4}


def test_no_partner_comes_from_the_other_side_of_the_split(source):
    train = np.flatnonzero(np.arange(26) % 3 != 0)
    val = np.setdiff1d(np.arange(26), train)
    for indices, training in ((train, True), (val, False)):
        first, second, _ = epoch_of(pairs(source, indices, training=training), 0)
        assert set(first) == set(indices)
        assert set(second) <= set(indices)


def test_partners_and_labels_change_between_epochs_of_training_and_not_of_validation(source):
    for training in (True, False):
        sequence = pairs(source, training=training)
        one, other = ({a: (b, y) for a, b, y in zip(*epoch_of(sequence, epoch), strict=True)} for epoch in (0, 1))
        changed = sum(one[sample] != other[sample] for sample in one)
        assert changed > 18 if training else changed == 0


def test_pairs_depend_on_seed_epoch_and_sample_alone(source):
    sequence, whole = pairs(source), pairs(source, batch_size=26)
    assert np.array_equal(whole.batch(2, 0)[0]["b"][8:16], sequence.batch(2, 1)[0]["b"])
    again = pickle.loads(pickle.dumps(sequence))
    for name in ("a", "b"):
        assert np.array_equal(again.batch(2, 1)[0][name], sequence.batch(2, 1)[0][name])
    assert not np.array_equal(pairs(source, seed=8).batch(2, 1)[0]["b"], sequence.batch(2, 1)[0]["b"])


def test_a_sample_that_is_alone_in_its_class_gets_a_partner_of_another_and_the_balance_stays(tmp_path):
    source = numbered_images(tmp_path / "images", [1, 5, 1, 5])
    first, second, labels = epoch_of(pairs(source), 3)
    assert labels.sum() == 6
    assert labels[np.isin(first, [0, 6])].tolist() == [0, 0]
    assert np.array_equal(source.labels[first] == source.labels[second], labels == 1)


def test_where_most_samples_are_alone_all_others_get_a_partner_of_their_class(tmp_path):
    first, _, labels = epoch_of(pairs(numbered_images(tmp_path / "images", [1, 1, 2, 1, 1])), 0)
    assert sorted(first[labels == 1]) == [2, 3]


def test_classes_of_one_sample_each_make_no_pairs(tmp_path):
    with pytest.raises(DataError, match="every class has one sample on this side"):
        pairs(numbered_images(tmp_path / "images", [1, 1, 1]))


def test_the_classes_of_pairs_are_different_and_same(source):
    sequence = pairs(source)
    assert sequence.class_names == sequence.spec[1].classes == ("different", "same")
    assert sequence.num_classes == 2
    assert [field.kind for field in sequence.spec[0].values()] == ["pixels", "pixels"]


def test_both_pictures_are_augmented_each_by_itself():
    source = ImageFolderSource(GLYPHS)
    options = {"image_size": (28, 28), "rotation": 20.0, "shift": 0.1}
    (x, y), (plain, same) = (pairs(source, **chosen)[0] for chosen in (options, {"image_size": (28, 28)}))
    assert np.array_equal(y, same)
    for name in ("a", "b"):
        assert all(not np.array_equal(one, other) for one, other in zip(x[name], plain[name], strict=True))


def test_pairs_without_augmentation_are_the_same_pairs():
    sequence = pairs(ImageFolderSource(GLYPHS), image_size=(28, 28), rotation=20.0)
    plain = pairs(ImageFolderSource(GLYPHS), image_size=(28, 28))
    for epoch in (0, 2):
        (x, y), (expected_x, expected_y) = sequence.without_augmentation().batch(epoch, 0), plain.batch(epoch, 0)
        assert np.array_equal(y, expected_y)
        assert np.array_equal(x["a"], expected_x["a"])
        assert np.array_equal(x["b"], expected_x["b"])


def test_colour_and_channels_first_show_the_same_pictures(source):
    last, first = pairs(source, color="rgb"), pairs(source, color="rgb", data_format="channels_first")
    assert first.spec[0]["a"].shape == (3, 4, 4)
    for name in ("a", "b"):
        assert np.array_equal(np.moveaxis(first[0][0][name], 1, -1), last[0][0][name])


@pytest.fixture
def listed(tmp_path):
    for value, name in enumerate("cde"):
        Image.fromarray(np.full((4, 4), value, np.uint8)).save(tmp_path / f"{name}.png")
    manifest = tmp_path / "pairs.csv"
    manifest.write_text("path_a,path_b,label\nc.png,d.png,1\ne.png,c.png,0\nd.png,e.png,same\n")
    return PairManifestSource(manifest)


@pytest.mark.parametrize("epoch", [0, 4])
def test_listed_pairs_come_as_they_are_listed(listed, epoch):
    (x, y) = pairs(listed, training=False).batch(epoch, 0)
    assert (shown(x["a"]), shown(x["b"]), y.tolist()) == ([0, 2, 1], [1, 0, 2], [1, 0, 1])


def test_listed_pairs_are_shuffled_whole_and_each_comes_once(listed):
    found = sorted(zip(*(part.tolist() for part in epoch_of(pairs(listed, batch_size=2), 1)), strict=True))
    assert found == [(0, 1, 1), (1, 2, 1), (2, 0, 0)]


def test_a_source_without_image_files_is_refused():
    class Rows(Source):
        labels = np.array([0, 0, 1, 1])
        classes = ("no", "yes")

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return {"x": index}

    with pytest.raises(ConfigError, match="no labelled pictures"):
        pairs(Rows())


def test_an_image_that_is_skipped_costs_its_own_sample_alone_in_all_epochs(source, tmp_path):
    (tmp_path / "images" / "class_1" / "002.png").write_bytes(b"torn")  # sample 8
    sequence = pairs(source)
    with pytest.raises(DataError, match=r"002\.png"):
        epoch_of(sequence, 0)
    sequence.skips_bad_samples = True
    for epoch in range(6):
        rows = sequence.allocate(26)
        bad = write_rows(sequence, sequence.indices, epoch, rows)
        assert [sample.index for sample in bad] == [8]
        first, *others = (source.labels[shown(rows[0][name])] for name in ("a", "b"))
        assert np.array_equal(first == others[0], rows[1] == 1)
