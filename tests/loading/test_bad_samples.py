"""Samples that cannot be read, in real files: what takes their place, and the list of them."""

import csv
import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError
from seqtrain.loading.bad_samples import BadSample, BadSamples, replaced
from seqtrain.loading.order import training_schedule
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.reports.data_check import check_data
from seqtrain.reports.inspection import Inspection
from seqtrain.structure import named_leaves

WORKERS = [
    WorkerOptions(0),
    WorkerOptions(1),
    WorkerOptions(4),
    WorkerOptions(1, processes=True),
    WorkerOptions(2, processes=True),
]
SIZE = 64  # of a JPEG in bytes, when it is cut off: its header is whole, its pixels are not
BAD = (3, 4, 17, 30)


def picture(folder, number):
    path = folder / ("cats" if number < 20 else "dogs") / f"{number:02}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def images(tmp_path):
    """Forty JPEGs in two classes, some of them truncated; the pixels of each are its number."""
    for number in range(40):
        path = picture(tmp_path / "images", number)
        Image.new("RGB", (32, 24), (6 * number,) * 3).save(path, quality=95)
        if number in BAD:
            path.write_bytes(path.read_bytes()[:-SIZE])
    return tmp_path


def config(folder, sections, name="config.yaml"):
    document = {
        "version": 1,
        "seed": 5,
        "source": {"name": "image_folder", "path": "images"},
        "split": {"train": 0.75, "by": "ordered"},
        "sequence": {"name": "image", "image_size": [12, 16]},
        "batch_size": 8,
        "model": "cnn",
        "compile": {"loss": "sparse_categorical_crossentropy"},
        "on_bad_sample": {"action": "skip", "max": 5},
        **sections,
    }
    path = folder / name
    path.write_text(json.dumps(document))  # JSON is YAML
    return load_config(path)


def stream_of(sequence, workers, start=0, on_bad=None):
    on_loaded = None if on_bad is None else lambda loaded: on_bad(loaded.bad) if loaded.bad else None
    return BatchStream(sequence, training_schedule(len(sequence)), workers, start, on_loaded=on_loaded)


def taken(sequence, workers, count=8, start=0):
    with stream_of(sequence, workers, start) as stream:
        return [digest(stream.take()) for _ in range(count - start)]


def digest(made):
    content = b"".join(array.tobytes() for _, array in named_leaves(made.batch))
    return made.epoch, made.index, hashlib.sha256(content).hexdigest(), made.bad


def numbers(made):
    """The samples in a batch of the pictures, read off their pixels."""
    return np.rint(made.batch[0][:, 6, 8, 0] / 6).astype(int).tolist()


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"sequence": {"name": "augmented_image", "image_size": [12, 16], "rotation": 20}},
        {"cache": {"path": "cache"}},
        {"fit": {"class_weight": "balanced"}},
    ],
    ids=["plain", "augmented", "cached", "weighted"],
)
def test_batches_with_replaced_samples_are_the_same_whoever_makes_them(images, sections):
    train = open_data(config(images, sections)).train
    expected = taken(train, WORKERS[0])
    bad = {sample.index for *_, found in expected for sample in found}
    assert bad == {number for number in BAD if number in train.indices}
    for workers in WORKERS[1:]:
        assert taken(train, workers) == expected
        assert taken(train, workers, start=5) == expected[5:]


def test_the_batch_holds_the_pixels_and_the_label_of_the_replacement(images):
    train = open_data(config(images, {})).train
    with stream_of(train, WorkerOptions(2)) as stream:
        for _ in range(8):
            made = stream.take()
            wanted = train.sample_indices(made.epoch, made.index)
            held = replaced(wanted, made.bad).tolist()
            assert numbers(made) == held
            assert made.batch[1].tolist() == [int(number >= 20) for number in held]
            assert not set(held) & set(BAD)
            assert [sample.index for sample in made.bad] == [n for n in wanted.tolist() if n in BAD]
            assert all(number in train.indices for number in held)


def test_another_epoch_draws_another_replacement_and_validation_draws_one_for_good(images):
    data = open_data(config(images, {}))

    def replacements(sequence, epochs):
        with stream_of(sequence, WorkerOptions(0)) as stream:
            made = [stream.take() for _ in range(epochs * len(sequence))]
        return [[(b.index, b.replaced_by) for m in made if m.epoch == epoch for b in m.bad] for epoch in range(epochs)]

    assert len({tuple(sorted(epoch)) for epoch in replacements(data.train, 3)}) == 3
    assert len({tuple(epoch) for epoch in replacements(data.val, 3)}) == 1


def test_bad_rows_of_a_csv_are_replaced_and_named(tmp_path):
    rows = [f"{n % 3},{n},{n},{n},{n}" for n in range(24)]
    rows[7] = "1,7,7,seven,7"
    rows[20] = "2,20,20,20,999"
    (tmp_path / "rows.csv").write_text("\n".join(["label,a,b,c,d", *rows]) + "\n")
    source = {"name": "csv_pixels", "path": "rows.csv", "image_size": [2, 2], "channels": 1}
    data = open_data(config(tmp_path, {"source": source, "sequence": "arrays", "split": {"train": 0.99, "val": 0}}))
    expected = taken(data.train, WORKERS[0], count=3)
    found = {sample.index: sample for *_, bad in expected for sample in bad}
    assert {index: sample.where for index, sample in found.items()} == {
        7: f"{tmp_path / 'rows.csv'}:9",
        20: f"{tmp_path / 'rows.csv'}:22",
    }
    for workers in WORKERS[1:]:
        assert taken(data.train, workers, count=3) == expected
    with stream_of(data.train, WorkerOptions(2)) as stream:
        for _ in range(3):
            made = stream.take()
            held = replaced(data.train.sample_indices(0, made.index), made.bad)
            assert made.batch[0][:, 0, 0, 0].tolist() == held.tolist()


def test_rows_that_a_shortened_array_has_lost_are_replaced(tmp_path):
    x = np.repeat(np.arange(40, dtype=np.uint8), 64 * 64).reshape(40, 64, 64)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    source = {"name": "arrays", "x": "x.npy", "y": "y.npy"}
    data = open_data(config(tmp_path, {"source": source, "sequence": "arrays", "split": {"train": 0.99, "val": 0}}))
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate((tmp_path / "x.npy").stat().st_size - 2 * 64 * 64)
    expected = taken(data.train, WORKERS[0], count=5)
    lost = {sample.index for *_, bad in expected for sample in bad}
    assert lost == {38, 39} & set(data.train.indices.tolist())
    assert lost
    assert taken(data.train, WorkerOptions(2), count=5) == expected


def test_where_everything_drawn_is_bad_too_the_error_is_told(images):
    for number in range(40):
        path = picture(images / "images", number)
        path.write_bytes(path.read_bytes()[:-SIZE])
    train = open_data(config(images, {})).train
    for workers in (WorkerOptions(0), WorkerOptions(1, processes=True)):
        with (
            stream_of(train, workers) as stream,
            pytest.raises(DataError, match=r"jpg  the image is damaged(?s:.*)nor can \d+ other samples"),
        ):
            stream.take()


def test_without_skip_a_bad_sample_ends_the_stream(images):
    data = open_data(config(images, {"on_bad_sample": "error"}))
    assert data.bad_samples is None
    with stream_of(data.train, WorkerOptions(2)) as stream, pytest.raises(DataError, match="damaged or truncated"):
        for _ in range(len(data.train)):
            stream.take()


def test_the_data_keeps_account_of_what_its_streams_hand_out(images):
    data = open_data(config(images, {}))
    met = []
    data.bad_samples.on_new = lambda side, new: met.extend((side, sample.index) for sample in new)
    with data.training_stream() as train, data.validation_stream() as val:
        for _ in range(2 * data.validation_steps):
            val.take()
        for _ in range(3 * len(data.train)):
            train.take()
    bad = {side: {n for n in BAD if n in indices} for side, indices in vars(data.split).items()}
    rows = list(data.bad_samples.rows())
    assert [side for side, *_ in rows] == ["train"] * len(bad["train"]) + ["val"] * len(bad["val"])
    assert {side: {sample for s, sample, *_ in rows if s == side} for side in bad} == bad
    assert {(side, sample) for side, sample, *_ in rows} == set(met)
    assert len(met) == len(BAD)
    assert rows[0][2] == data.source.describe(rows[0][1])


def test_past_the_limit_the_batch_is_not_handed_out(images):
    data = open_data(config(images, {"on_bad_sample": {"action": "skip", "max": 2}}))
    with (
        data.training_stream() as stream,
        pytest.raises(DataError, match=r"3 training samples cannot be read\n  expected at most 2(?s:.*)\.jpg: the ima"),
    ):
        for _ in range(len(data.train)):
            stream.take()
    assert len(data.bad_samples) == 3


def test_inspection_shows_the_samples_that_are_really_in_the_batch(images):
    inspection = Inspection(config(images, {}), "train", 0, images / "out")
    batches = list(inspection.batches(None))
    for inspected in batches:
        assert (
            inspected.to_json()["sample_ids"] == np.rint(inspected.fields[0].array[:, 6, 8, 0] / 6).astype(int).tolist()
        )
    told = "\n".join(inspected.text() for inspected in batches)
    assert all(f"in place of {n}: {picture(images / 'images', n)}: the image is damaged" in told for n in BAD[:3])


def test_checking_the_data_reports_what_a_run_would_skip(images):
    assert sorted(check_data(config(images, {})).bad_files) == [str(picture(images / "images", n)) for n in BAD]


def test_a_class_that_makes_whole_batches_cannot_skip(images):
    (images / "own.py").write_text(
        "from seqtrain.registry import sequences\n"
        "@sequences.register('whole_batches')\n"
        "class WholeBatches:\n"
        "    def __init__(self, x_set, y_set):\n"
        "        self.x, self.y = x_set, y_set\n"
        "    def __len__(self):\n"
        "        return 1\n"
        "    def __getitem__(self, index):\n"
        "        return self.x, self.y\n"
    )
    own = {"imports": ["./own.py"], "sequence": "whole_batches"}
    with pytest.raises(ConfigError, match=r"config.yaml:1:\d+  on_bad_sample: the sequence 'whole_batches'"):
        open_data(config(images, own))
    assert open_data(config(images, {**own, "on_bad_sample": "error"})).bad_samples is None


def bad(index):
    return BadSample(index, f"{index}.jpg", "is truncated, or so", 100 + index)


def test_each_sample_is_listed_once_in_the_order_of_its_first_meeting():
    samples = BadSamples({"train": 5, "val": 5})
    met = []
    samples.on_new = lambda side, new: met.append((side, [sample.index for sample in new]))
    samples.add("val", [bad(9)])
    samples.add("train", [bad(3), bad(1)])
    samples.add("train", [bad(1), bad(2), bad(3)])
    samples.add("train", [bad(2)])
    assert met == [("val", [9]), ("train", [3, 1]), ("train", [2])]
    assert [row[:2] for row in samples.rows()] == [("train", 3), ("train", 1), ("train", 2), ("val", 9)]


def test_the_limit_is_the_sides_own_and_holds_after_it_was_passed():
    samples = BadSamples({"train": 2, "val": 0})
    samples.add("train", [bad(1), bad(2), bad(1)])
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 validation samples(?s:.*)at most 0(?s:.*)7.jpg: is truncated"):
            samples.add("val", [bad(7)])
    samples.add("train", [bad(2)])


def test_the_state_is_plain_data_and_restores_the_account():
    samples = BadSamples({"train": 2, "val": 2})
    samples.add("train", [bad(3), bad(1)])
    state = json.loads(json.dumps(samples.state()))
    other = BadSamples({"train": 2, "val": 2})
    other.add("val", [bad(5)])
    other.restore(state)
    assert list(other.rows()) == list(samples.rows())
    with pytest.raises(DataError, match="3 training samples"):
        other.add("train", [bad(4)])
    other.restore(None)
    assert list(other.rows()) == []


def test_the_table_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "bad_samples.csv"
    samples = BadSamples({"train": 3, "val": 3})
    samples.add("train", [bad(3)])
    samples.write_csv(path)
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["side", "sample", "file", "error"],
            ["train", "3", "3.jpg", "is truncated, or so"],
        ]
    before = path.read_bytes()

    def full(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    samples.add("train", [bad(4)])
    with pytest.raises(OSError, match="no space"):
        samples.write_csv(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
