"""Classes as tutorials have them: they run as they stand, and give the same batches with any workers."""

import contextlib
import dataclasses
import hashlib
import json

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError, WorkerError
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.workers import WorkerOptions
from seqtrain.registry import sequences
from seqtrain.reports.data_check import check_data
from seqtrain.structure import named_leaves, num_samples
from tests.conftest import DATA, ROOT

TUTORIALS = ROOT / "tests" / "own" / "tutorials.py"
DIGITS = {"name": "image_folder", "path": str(DATA / "digits")}
FLATS = {"name": "table", "path": str(DATA / "flats" / "flats.csv"), "target": "price"}
SOURCES = {
    "by_id": DIGITS,
    "file_paths": DIGITS,
    "named": DIGITS,
    "pairs_of_dataset": DIGITS,
    "curriculum": DIGITS,
    "images_masks": {
        "name": "image_mask",
        "images": str(DATA / "shapes" / "images"),
        "masks": str(DATA / "shapes" / "masks"),
        "classes": ["background", "disc", "square"],
    },
    "rows_of_frame": FLATS,
    "user_item": {"name": "ratings", "path": str(DATA / "ratings" / "ratings.csv")},
    "random_data": {"name": "synthetic_sum", "num_samples": 400},
    "generator": DIGITS,
    "endless": {"name": "synthetic_sum", "num_samples": 400},
}
ARGUMENTS = {"rows_of_frame": {"columns": ["area_m2", "rooms"], "target": "price"}}
WORKERS = [WorkerOptions(0), WorkerOptions(4), WorkerOptions(4, processes=True)]


def config(folder, name, source=None, file=TUTORIALS, **sections):
    document = {
        "version": 1,
        "seed": 7,
        "imports": [str(file)],
        "source": source or SOURCES.get(name, {"name": "synthetic_sum", "num_samples": 400}),
        "split": 0.8,
        "sequence": {"name": name, **ARGUMENTS.get(name, {})},
        "batch_size": 32,
        "model": "mlp",
        "compile": {"loss": "mse"},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(document))
    return load_config(path)


def open_with(loaded, workers=WORKERS[0]):
    data = open_data(loaded)
    if not data.train.in_order:
        vars(data)["workers"] = dataclasses.replace(workers, imports=tuple(data.config.imports))
    return data


def digest(batch):
    text = [(name, array.dtype.str, array.shape, array.tobytes()) for name, array in named_leaves(batch)]
    return hashlib.sha256(repr(text).encode()).hexdigest()


def taken(stream, count):
    with stream as batches:
        return [batches.take().batch for _ in range(count)]


def digests(loaded, workers, epochs=2, start=0):
    data = open_with(loaded, workers)
    steps = {"train": data.steps_per_epoch, "val": data.validation_steps}
    streams = {"train": data.training_stream, "val": data.validation_stream}
    return {
        side: [digest(batch) for batch in taken(stream(start, epochs * steps[side]), epochs * steps[side] - start)]
        for side, stream in streams.items()
    }


@contextlib.contextmanager
def own_class(folder, text):
    """A file with a class of the name `own`, which is forgotten afterwards."""
    file = folder / "own.py"
    file.write_text(f"import math\nimport numpy as np\nfrom seqtrain.registry import sequences\n\n\n{text}")
    try:
        yield file
    finally:
        if "own" in sequences:
            sequences.unregister("own")


@pytest.mark.parametrize("name", SOURCES)
def test_batches_are_the_same_with_any_workers_and_wherever_they_begin(tmp_path, name):
    pytest.importorskip("pandas")
    fit = {"fit": {"steps_per_epoch": 12, "validation_steps": 4}} if name == "endless" else {}
    loaded = config(tmp_path, name, **fit)
    one, *others = (digests(loaded, workers) for workers in WORKERS)
    assert all(other == one for other in others)
    assert name == "endless" or not set(one["train"]) & set(one["val"])
    resumed = digests(loaded, WORKERS[1], start=5)
    assert resumed == {side: one[side][5:] for side in one}


def test_each_side_has_random_numbers_of_its_own(tmp_path):
    data = open_with(config(tmp_path, "random_data"))
    train = taken(data.training_stream(), data.steps_per_epoch)
    val = taken(data.validation_stream(), data.validation_steps)
    values = [set(np.concatenate([batch[0] for batch in side]).ravel().tolist()) for side in (train, val)]
    assert not values[0] & values[1]
    warned = check_data(config(tmp_path, "random_data")).warnings
    assert not [warning for warning in warned if "are in training too" in warning]


@pytest.mark.parametrize("workers", WORKERS[:2])
def test_epochs_begin_and_end_once_on_both_sides(tmp_path, workers):
    data = open_with(config(tmp_path, "curriculum"), workers)
    for sequence, stream, steps in (
        (data.train, data.training_stream, data.steps_per_epoch),
        (data.val, data.validation_stream, data.validation_steps),
    ):
        assert sequence.wrapped.calls == []
        with stream(0, 3 * steps) as batches:
            for _ in range(3 * steps):
                batches.take()
            assert sequence.wrapped.calls[:5] == ["begin", "end", "begin", "end", "begin"]
            assert sequence.wrapped.calls[5:] in ([], ["end"])  # which workers may not have called yet


def test_no_batch_is_made_after_the_last_validation(tmp_path):
    data = open_with(config(tmp_path, "curriculum"), WORKERS[1])
    made = []
    make = data.val.wrapped.__class__.__getitem__
    data.val.wrapped.__class__ = type("Counted", (), {**vars(data.val.wrapped.__class__)})
    data.val.wrapped.__class__.__getitem__ = lambda self, index: made.append(index) or make(self, index)
    taken(data.validation_stream(data.validation_steps, 3 * data.validation_steps), 2 * data.validation_steps)
    assert sorted(made) == sorted(2 * list(range(data.validation_steps)))


def test_lists_of_arrays_are_the_inputs_of_a_model_of_several(tmp_path, caplog):
    caplog.set_level("INFO")
    data = open_with(config(tmp_path, "user_item"))
    (x, y), *_ = taken(data.training_stream(), 1)
    assert [array.shape for array in x] == [(32,), (32,)] and y.shape == (32,)
    taken(data.validation_stream(), 2)
    assert caplog.text.count("UserItem returns lists of arrays: taken as one array for each input") == 1


@pytest.mark.parametrize(("batch_size", "last"), [(2, 2), (3, 1), (32, None)])
def test_lists_of_two_inputs_are_told_from_samples_in_batches_of_any_size(tmp_path, batch_size, last):
    text = (
        "@sequences.register('own')\n"
        "class Own:\n"
        "    def __init__(self, x, y, batch_size):\n"
        "        self.x, self.y, self.b = x, y, batch_size\n"
        "    def __len__(self):\n"
        "        return math.ceil(len(self.x) / self.b)\n"
        "    def __getitem__(self, i):\n"
        "        part = slice(i * self.b, (i + 1) * self.b)\n"
        "        return [self.x[part, 0], self.x[part, 1]], [self.y[part]]\n"
    )
    with own_class(tmp_path, text) as file:
        data = open_with(config(tmp_path, "own", SOURCES["user_item"], file, batch_size=batch_size))
        if batch_size == 2:  # each batch of two rows may be two samples; the target, of which there is one, is not
            (x, y), *_ = taken(data.training_stream(), 1)
            assert [part.shape for part in (*x, y)] == [(2,)] * 3
            return
        for batch in taken(data.training_stream(), data.steps_per_epoch):
            x, y = batch
            assert len(x) == 2 and len({len(part) for part in (*x, y)}) == 1


def test_a_list_that_may_be_samples_or_inputs_is_refused(tmp_path):
    text = (
        "@sequences.register('own')\n"
        "class Own:\n"
        "    def __init__(self, x, y):\n"
        "        self.x, self.y = x, y\n"
        "    def __len__(self):\n"
        "        return 10\n"
        "    def __getitem__(self, i):\n"
        "        return [self.x[:2, 0], self.x[:2, 1]], self.y[:2]\n"
    )
    with own_class(tmp_path, text) as file:
        data = open_with(config(tmp_path, "own", SOURCES["user_item"], file))
        with pytest.raises(WorkerError, match=r"Own returned a list.*\n.*return a tuple of arrays"):
            taken(data.training_stream(), 1)


COUNTED = (
    "size = 32\n"
    "@sequences.register('own')\n"
    "class Own:\n"
    "    def __init__(self, x_set, y_set, batch_size):\n"
    "        self.y, self.b = y_set, batch_size\n"
    "    def __len__(self):\n"
    "        return math.ceil(len(self.y) / self.b)\n"
    "    def __getitem__(self, i):\n"
    "        part = self.y[i * size : (i + 1) * size]\n"
    "        return np.zeros((len(part), 2)), part\n"
)


def test_a_batch_size_of_its_own_is_told_with_the_samples_that_are_left_out(tmp_path, caplog):
    with own_class(tmp_path, COUNTED) as file:
        loaded = config(tmp_path, "own", DIGITS, file, batch_size=100)
        data = open_with(loaded)
        batches = taken(data.training_stream(), 2 * data.steps_per_epoch)
        assert sum(map(num_samples, batches)) == 2 * 256
        assert caplog.messages == [
            "Own: batch 0 in training has 32 samples, and batch_size is 100",
            "Own: the batches of an epoch in training hold 256 samples, where 800 were given to it",
        ]
        warned = check_data(loaded).warnings
        assert "train: the batches of Own hold 256 samples, where 800 were given to it" in warned


def test_an_empty_batch_is_named(tmp_path):
    with own_class(tmp_path, COUNTED) as file:
        loaded = config(tmp_path, "own", DIGITS, file, batch_size=16)
        data = open_with(loaded)
        with pytest.raises(WorkerError, match=r"Own.__getitem__\(7\) returned an empty batch"):
            taken(data.validation_stream(), data.validation_steps)
        told = [mistake.message for mistake in check_data(loaded).mistakes]
        assert "Own.__getitem__(7) returned an empty batch" in told


def test_a_length_that_changes_is_told_with_both(tmp_path):
    text = COUNTED.replace("return math.ceil", "return 5 if self.b is None else math.ceil")
    text += "    def on_epoch_end(self):\n        self.b = None\n"
    with own_class(tmp_path, text) as file:
        data = open_with(config(tmp_path, "own", DIGITS, file))
        message = r"Own.on_epoch_end has changed the number of batches, in epoch 0\n  expected 25.*\n  received 5"
        with pytest.raises(DataError, match=message):
            taken(data.training_stream(), 30)


def test_a_class_without_an_end_asks_for_the_steps(tmp_path):
    with pytest.raises(ConfigError, match=r"Endless has no end .*\n  fix: set fit.steps_per_epoch"):
        open_data(config(tmp_path, "endless"))
    with pytest.raises(ConfigError, match="fix: set fit.validation_steps"):
        open_data(config(tmp_path, "endless", fit={"steps_per_epoch": 3}))


def test_an_endless_class_goes_on_where_the_epoch_before_ended(tmp_path):
    loaded = config(tmp_path, "endless", fit={"steps_per_epoch": 3, "validation_steps": 2})
    one, other = (taken(open_with(loaded).training_stream(), 6) for _ in range(2))
    assert [digest(batch) for batch in one] == [digest(batch) for batch in other]
    expected = [np.random.default_rng(index).random((32, 4), dtype="float32") for index in range(6)]
    np.testing.assert_array_equal([x for x, _ in one], expected)


def test_a_frame_holds_the_rows_of_its_side_as_pandas_reads_them(tmp_path):
    pandas = pytest.importorskip("pandas")
    data = open_data(config(tmp_path, "rows_of_frame"))
    frame, whole = data.val.wrapped.df, pandas.read_csv(FLATS["path"])
    assert frame.index.tolist() == data.split.val.tolist()
    pandas.testing.assert_frame_equal(frame, whole.loc[data.split.val])
    assert sorted(data.train.wrapped.df.index) == sorted(data.split.train)


def test_a_generator_that_ends_early_is_told_with_the_steps_that_it_has(tmp_path):
    text = (
        "@sequences.register('own')\n"
        "def own(x_set, y_set, batch_size):\n"
        "    for start in range(0, len(y_set) - batch_size + 1, batch_size):\n"
        "        yield np.zeros((batch_size, 2)), y_set[start : start + batch_size]\n"
    )
    with own_class(tmp_path, text) as file:
        data = open_with(config(tmp_path, "own", DIGITS, file, batch_size=60))
        with pytest.raises(DataError, match=r"own ended after 13 batches of epoch 0(?s:.*)set fit.steps_per_epoch: 13"):
            taken(data.training_stream(), 14)
        fit = {"fit": {"steps_per_epoch": 13, "validation_steps": 3}}
        data = open_with(config(tmp_path, "own", DIGITS, file, batch_size=60, **fit))
        assert len(taken(data.training_stream(), 30)) == 30


def test_what_is_read_in_order_is_read_by_one_thread_and_says_so(tmp_path, caplog):
    caplog.set_level("INFO")
    data = open_data(config(tmp_path, "generator", fit={"workers": 4, "use_multiprocessing": True}))
    assert (data.workers.count, data.workers.processes) == (1, False)
    assert "generator gives its batches in its own order, read by one thread" in caplog.text
    assert "one thread reads the batches, not 4 processes" in caplog.text


def test_a_dataset_of_tensorflow_is_read_as_long_as_it_is(tmp_path):
    data = open_with(config(tmp_path, "tf_dataset", DIGITS))
    assert (data.steps_per_epoch, data.validation_steps) == (25, 7)
    batches = taken(data.training_stream(), 50)
    assert [digest(batch) for batch in batches[:25]] == [digest(batch) for batch in batches[25:]]
    assert (batches[0][0].shape, batches[0][0].dtype, batches[0][1].dtype) == ((32, 16, 16, 1), "float32", "int64")


DATASET = (
    "from PIL import Image\n"
    "try:\n"
    "    from torch.utils.data import DataLoader, Dataset\n"
    "except ImportError:\n"
    "    DataLoader = None\n"
    "    Dataset = type('Dataset', (), {'__module__': 'torch.utils.data.dataset'})\n"
    "class Digits(Dataset):\n"
    "    def __init__(self, paths, labels):\n"
    "        self.paths, self.labels = paths, labels\n"
    "    def __len__(self):\n"
    "        return len(self.paths)\n"
    "    def __getitem__(self, index):\n"
    "        image = np.asarray(Image.open(self.paths[index]).resize((8, 8)), 'float32')\n"
    "        return image + np.random.rand(), self.labels[index]\n"
    "@sequences.register('own')\n"
    "def own(x_set, y_set, batch_size):\n"
    "    return Digits(x_set, y_set)\n"
)


def test_a_data_set_of_torch_keeps_what_all_sequences_keep(tmp_path):
    with own_class(tmp_path, DATASET) as file:
        loaded = config(tmp_path, "own", DIGITS, file)
        one, *others = (digests(loaded, workers) for workers in WORKERS)
        assert all(other == one for other in others)
        assert len(set(one["train"])) == 50 and len(set(one["val"])) == 7  # the same in each validation
        assert digests(loaded, WORKERS[1], start=30)["train"] == one["train"][30:]
        data = open_with(loaded)
        labels = np.concatenate([y for _, y in taken(data.training_stream(), data.steps_per_epoch)])
        np.testing.assert_array_equal(np.sort(labels), np.sort(data.source.labels[data.split.train]))


def test_a_data_loader_gives_its_data_set_and_how_samples_are_put_together(tmp_path):
    pytest.importorskip("torch")
    text = DATASET.replace("return Digits(x_set, y_set)", "return DataLoader(Digits(x_set, y_set), batch_size, True)")
    with own_class(tmp_path, text) as file:
        (x, y), *_ = taken(open_with(config(tmp_path, "own", DIGITS, file)).training_stream(), 1)
        assert (x.shape, y.shape) == ((32, 8, 8), (32,))


def test_a_validation_of_one_batch_changes_from_epoch_to_epoch_too(tmp_path):
    from seqtrain.loading.keras_dataset import ValidationDataset

    data = open_with(config(tmp_path, "curriculum", batch_size=200))
    assert data.validation_steps == 1
    with data.validation_stream(0, 3) as stream:
        dataset = ValidationDataset(stream, 1)
        dataset.for_fit()
        validations = [dataset[0] for _ in range(3)]
    assert len({digest(batch) for batch in validations}) == 3


@pytest.mark.parametrize("batch_size", [200, 64])
def test_the_first_batch_of_an_evaluation_may_be_read_twice(tmp_path, batch_size):
    from seqtrain.loading.keras_dataset import ValidationDataset

    data = open_with(config(tmp_path, "curriculum", batch_size=batch_size))
    steps = data.validation_steps
    expected = [digest(batch) for batch in taken(data.validation_stream(0, steps), steps)]
    data = open_with(config(tmp_path, "curriculum", batch_size=batch_size))
    with data.validation_stream(0, steps) as stream:
        dataset = ValidationDataset(stream, steps)
        assert [digest(dataset[index]) for index in (0, *range(steps))] == [expected[0], *expected]


def test_a_generator_goes_on_where_the_epoch_before_ended_if_the_steps_are_given(tmp_path):
    fit = {"fit": {"steps_per_epoch": 10, "validation_steps": 2}}
    data = open_with(config(tmp_path, "generator", **fit))
    batches = taken(data.training_stream(), 25)
    labels = np.concatenate([y for _, y in batches])
    np.testing.assert_array_equal(np.sort(labels), np.sort(data.source.labels[data.split.train]))
    resumed = taken(open_with(config(tmp_path, "generator", **fit)).training_stream(13), 12)
    assert [digest(batch) for batch in resumed] == [digest(batch) for batch in batches[13:]]


def test_columns_of_a_frame_in_lists_are_several_inputs(tmp_path):
    pytest.importorskip("pandas")
    text = (
        "@sequences.register('own')\n"
        "class Own:\n"
        "    def __init__(self, df, batch_size):\n"
        "        self.df, self.b = df, batch_size\n"
        "    def __len__(self):\n"
        "        return math.ceil(len(self.df) / self.b)\n"
        "    def __getitem__(self, i):\n"
        "        part = self.df.iloc[i * self.b : (i + 1) * self.b]\n"
        "        return [part['area_m2'], part['rooms']], [part['price']]\n"
    )
    with own_class(tmp_path, text) as file:
        (x, y), *_ = taken(open_with(config(tmp_path, "own", FLATS, file)).training_stream(), 1)
        assert [array.shape for array in (*x, y)] == [(32,)] * 3 and isinstance(y, np.ndarray)


def test_generators_of_a_users_file_without_a_seed_differ_in_forked_processes(tmp_path):
    text = COUNTED.replace("size = 32\n", "size = 32\nrng = np.random.default_rng()\n")
    text = text.replace("np.zeros((len(part), 2))", "rng.random((len(part), 2))")
    with own_class(tmp_path, text) as file:
        data = open_with(config(tmp_path, "own", DIGITS, file), WORKERS[2])
        batches = taken(data.training_stream(), 25)
    assert len({x[0, 0] for x, _ in batches}) == 25


def test_names_that_are_no_keys_are_told(tmp_path):
    arrays = {"name": "arrays", "x": str(tmp_path / "x.npy"), "y": str(tmp_path / "y.npy")}
    np.save(tmp_path / "x.npy", np.zeros((40, 3)))
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    with pytest.raises(DataError, match="has no names for its samples"):
        open_data(config(tmp_path, "by_id", arrays))


def test_lists_of_a_generator_are_several_inputs_too(tmp_path):
    text = (
        "@sequences.register('own')\n"
        "def own(x, y, batch_size):\n"
        "    while True:\n"
        "        for start in range(0, len(y), batch_size):\n"
        "            part = slice(start, start + batch_size)\n"
        "            yield [x[part, 0], x[part, 1]], [y[part]]\n"
    )
    with own_class(tmp_path, text) as file:
        (x, y), *_ = taken(open_with(config(tmp_path, "own", SOURCES["user_item"], file)).training_stream(), 1)
        assert [array.shape for array in (*x, y)] == [(32,)] * 3


def test_a_data_loader_of_two_inputs_gives_two_inputs(tmp_path):
    pytest.importorskip("torch")
    text = DATASET.replace("image + np.random.rand(), self", "(image, image + 1), self")
    text = text.replace("return Digits(x_set, y_set)", "return DataLoader(Digits(x_set, y_set), batch_size)")
    with own_class(tmp_path, text) as file:
        (x, y), *_ = taken(open_with(config(tmp_path, "own", DIGITS, file)).training_stream(), 1)
        assert [array.shape for array in (*x, y)] == [(32, 8, 8), (32, 8, 8), (32,)]
