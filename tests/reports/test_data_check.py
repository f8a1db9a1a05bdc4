"""What `check --data` finds in real files that are damaged, odd, or there twice."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from seqtrain.config import load_config
from seqtrain.errors import DataError
from seqtrain.reports.data_check import check_data
from seqtrain.reports.data_tables import survey_parts
from seqtrain.reports.terminal import drawn
from tests.conftest import seqtrain

SIZE = 20, 24  # height, width


def noise(number, size=SIZE, mode="RGB"):
    """A picture that is like no other."""
    generator = np.random.default_rng(number)
    coarse = generator.integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).convert(mode)


def save_images(folder, count=20):
    """PNGs in two classes, in the order of their numbers; the last five validate."""
    for number in range(count):
        path = folder / "images" / ("cats" if number % 2 else "dogs") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(number).save(path)
    return folder / "images"


def config(folder, **sections):
    document = {
        "version": 1,
        "source": {"name": "image_folder", "path": "images"},
        "split": {"train": 0.75, "by": "stratified"},
        "sequence": {"name": "image", "image_size": list(SIZE)},
        "batch_size": 4,
        "model": "cnn",
        "compile": {"loss": "sparse_categorical_crossentropy"},
        "fit": {"workers": 2},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(document))  # JSON is YAML
    return load_config(path)


def arrays(folder, x, y, **sections):
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    source = {"name": "arrays", "x": "x.npy", "y": "y.npy"}
    return config(folder, source=source, sequence="arrays", split={"train": 0.75, "by": "ordered"}, **sections)


def told(check):
    return "\n".join([*check.warnings, *map(str, check.mistakes)])


def test_data_that_is_right_has_nothing_to_be_told_of(tmp_path):
    save_images(tmp_path, 16)
    check = check_data(config(tmp_path), tmp_path / "out")
    assert told(check) == ""
    assert check.error is None
    document = check.to_json()
    assert document["samples"] == 16
    assert document["train"]["classes"]["y"]["counts"] == {"cats": 6, "dogs": 6}
    assert document["train"]["read"] == 12
    assert document["train"]["files"]["path"] == {"kinds": {"PNG RGB": 12}, "sizes": {"24 x 20": 12}}
    assert document["bad_files"] is None
    assert not (tmp_path / "out").exists()


def test_ranges_are_those_of_all_training_pictures(tmp_path):
    folder = save_images(tmp_path)
    check = check_data(config(tmp_path))
    train = check.surveys["train"].fact("item").tolist()
    paths = sorted(folder.glob("*/*.png"))
    pixels = np.stack([np.asarray(Image.open(paths[index])) for index in train]).reshape(-1, 3).astype(np.float64)
    ranges = check.to_json()["train"]["fields"]["x"]
    np.testing.assert_allclose(ranges["mean"], pixels.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(ranges["std"], pixels.std(axis=0), rtol=1e-5)
    assert ranges["min"] == pixels.min(axis=0).tolist()
    assert ranges["max"] == pixels.max(axis=0).tolist()


def test_mean_and_deviation_are_printed_as_a_model_takes_them(tmp_path):
    x = np.random.default_rng(2).normal([400, 3, 0], [300, 2, 1], (16, 8, 8, 3)).astype(np.float32)
    y = np.arange(16) % 2
    check = check_data(arrays(tmp_path, x, y))
    printed = yaml.safe_load(f"{{{re.search('for the model: (.*)', drawn(*survey_parts(check.surveys)))[1]}}}")
    training = x[:12].reshape(-1, 3)
    assert printed["mean"] == pytest.approx(training.mean(axis=0), rel=1e-4, abs=1e-5)
    assert printed["std"] == pytest.approx(training.std(axis=0), rel=1e-4)
    pasted = arrays(tmp_path, x, y, model={"name": "cnn", **printed}).config
    assert list(pasted.model.arguments["std"]) == printed["std"]


@pytest.mark.parametrize("processes", [False, True])
def test_damaged_files_are_listed_whoever_reads_them(tmp_path, processes):
    folder = save_images(tmp_path)
    truncated, empty = folder / "cats" / "03.png", folder / "dogs" / "04.png"
    truncated.write_bytes(truncated.read_bytes()[:-200])
    empty.write_bytes(b"")
    check = check_data(config(tmp_path, fit={"workers": 2, "use_multiprocessing": processes}), tmp_path / "out")
    assert check.error is not None
    assert check.error.exit_code == 3
    listed = (tmp_path / "out" / "bad_files.txt").read_text().splitlines()
    assert sorted(listed) == [str(truncated), str(empty)]
    assert sum(check.to_json()[side]["unreadable"] for side in ("train", "val")) == 2


@pytest.mark.parametrize("first_bad", [0, 15])  # all samples, or those that validate
def test_where_no_sample_of_a_side_can_be_read_each_is_named(tmp_path, first_bad):
    folder = save_images(tmp_path)
    paths = sorted(folder.glob("*/*.png"))
    for path in paths[first_bad:]:
        path.write_bytes(b"no picture")
    check = check_data(config(tmp_path, split={"train": 0.75, "by": "ordered"}), tmp_path / "out")
    assert check.error is not None
    assert check.error.exit_code == 3
    assert (tmp_path / "out" / "bad_files.txt").read_text().splitlines() == list(map(str, paths[first_bad:]))


def test_bad_samples_within_the_limit_of_skipping_are_told_and_no_error(tmp_path):
    folder = save_images(tmp_path)
    (folder / "cats" / "03.png").write_bytes(b"no picture")
    within = check_data(config(tmp_path, on_bad_sample={"action": "skip", "max": 1}))
    assert within.error is None
    assert "1 of at most 1 bad samples will be skipped" in told(within)
    assert str(folder / "cats" / "03.png") in told(within)
    for number in (1, 5, 7, 9, 11):  # one side at least has more than one bad sample now
        (folder / "cats" / f"{number:02}.png").write_bytes(b"no picture")
    assert check_data(config(tmp_path, on_bad_sample={"action": "skip", "max": 1})).error is not None


def test_a_file_whose_name_says_another_format_is_named(tmp_path):
    folder = save_images(tmp_path)
    wrong = folder / "cats" / "21.jpg"
    noise(21).save(wrong, "GIF")
    check = check_data(config(tmp_path))
    assert check.error is None
    assert check.to_json()["misnamed"] == [str(wrong)]
    assert f"{wrong}: by the first bytes GIF, by the name something else" in told(check)


def test_pictures_of_another_mode_or_size_are_named(tmp_path):
    folder = save_images(tmp_path, 30)
    noise(1, mode="L").save(folder / "cats" / "01.png")
    noise(4, size=(200, 240)).save(folder / "dogs" / "04.png")
    noise(7, size=(5, 60)).save(folder / "cats" / "07.png")
    words = told(check_data(config(tmp_path, split={"train": 1, "val": 0})))
    assert f"{folder / 'cats' / '01.png'} (PNG L)" in words
    assert f"{folder / 'dogs' / '04.png'} (240 x 200)" in words
    assert f"{folder / 'cats' / '07.png'} (60 x 5)" in words


def test_a_constant_picture_is_named(tmp_path):
    folder = save_images(tmp_path)
    Image.new("RGB", SIZE[::-1], (9, 9, 9)).save(folder / "dogs" / "06.png")
    assert f"the picture has one value everywhere in {folder / 'dogs' / '06.png'}" in told(check_data(config(tmp_path)))


@pytest.fixture
def leaking(tmp_path):
    """Two arrays of pictures, the last of which validates and is a copy of the first."""
    x = np.stack([np.asarray(noise(number)) for number in range(16)])
    x[15] = x[0]
    return arrays(tmp_path, x, np.arange(16) % 2)


def test_a_copy_across_the_split_is_an_error_unless_it_is_allowed(leaking):
    check = check_data(leaking)
    assert [mistake.message for mistake in check.mistakes] == ["1 validation sample is in training too, byte for byte"]
    assert "x.npy[0] = " in check.mistakes[0].received
    assert "x.npy[15]" in check.mistakes[0].received
    copies = check.to_json()["duplicates"]
    assert copies["groups_across_splits"] == 1
    assert [[Path(name).name for name in group] for group in copies["across_splits"]] == [["x.npy[0]", "x.npy[15]"]]
    assert [Path(name).name for name in check.bad_files] == ["x.npy[15]"]
    allowed = check_data(leaking, allow_leakage=True)
    assert allowed.error is None and not allowed.bad_files
    assert "in training too" in told(allowed)
    assert "1 sample is an exact copy with another label than the original" in told(allowed)


def test_a_file_that_two_rows_name_is_not_listed_as_one_to_be_removed(tmp_path):
    images = sorted(save_images(tmp_path).rglob("*.png"))
    rows = [f"{path},{path.parent.name}" for path in [*images, images[0]]]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    source = {"name": "image_manifest", "manifest": "list.csv"}
    check = check_data(config(tmp_path, source=source, split={"train": 0.75, "by": "ordered"}))
    assert "remove the copies, and a row where two name one file" in check.mistakes[0].fix
    assert not check.bad_files


def test_a_picture_that_was_compressed_anew_is_nearly_alike(tmp_path):
    folder = save_images(tmp_path)
    noise(2, (80, 96)).save(folder / "dogs" / "30.jpg", quality=60)
    noise(2, (80, 96)).save(folder / "dogs" / "31.jpg", quality=95)
    check = check_data(config(tmp_path))
    assert check.error is None
    examples = check.to_json()["near_duplicates"]["examples"]
    assert [str(folder / "dogs" / "30.jpg"), str(folder / "dogs" / "31.jpg")] in [sorted(pair) for pair in examples]


def test_examples_begin_with_copies_across_the_split_and_none_is_there_twice(tmp_path):
    x = np.stack([np.asarray(noise(number)) for number in range(16)])
    x[2] = x[3] = x[1]
    x[15] = x[0]
    x[5] = x[4].clip(1) - 1
    x[14] = x[6].clip(1) - 1
    document = check_data(arrays(tmp_path, x, np.arange(16) % 2)).to_json()

    def rows(examples):
        return [[int(name.split("x.npy[")[1].split("]")[0]) for name in example] for example in examples]

    assert rows(document["duplicates"]["examples"]) == [[0, 15], [1, 2, 3]]
    assert rows(document["near_duplicates"]["examples"]) == [[6, 14], [4, 5]]


def test_where_samples_cannot_be_listed_the_files_that_are_to_blame_are(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for number in range(6):
            noise(number, mode="L").save(tmp_path / folder / f"{number}.png")
    for number in (2, 4):
        (tmp_path / "masks" / f"{number}.png").unlink()
    source = {"name": "image_mask", "images": "images", "masks": "masks", "classes": ["ground", "thing"]}
    sequence = {"name": "image_mask", "image_size": list(SIZE)}
    loaded = config(tmp_path, source=source, sequence=sequence, split={"train": 0.75, "by": "random"})
    with pytest.raises(DataError):
        check_data(loaded, tmp_path / "out")
    listed = (tmp_path / "out" / "bad_files.txt").read_text().splitlines()
    assert listed == [str(tmp_path / "images" / f"{number}.png") for number in (2, 4)]


def test_nan_and_infinite_values_break_training_and_are_counted_out_of_the_ranges(tmp_path):
    x = np.arange(64, dtype=np.float32).reshape(16, 4)
    x[11, 1], x[14, 2] = np.nan, np.inf
    check = check_data(arrays(tmp_path, x, np.arange(16) % 2))
    assert [mistake.message for mistake in check.mistakes] == [
        "x has NaN or Inf in 1 training sample",
        "x has NaN or Inf in 1 validation sample",
    ]
    assert [Path(name).name for name in check.bad_files] == ["x.npy[11]", "x.npy[14]"]
    assert check.to_json()["train"]["fields"]["x"]["max"] == [44, 41, 46, 47]


def test_equal_rows_of_numbers_are_no_leak(tmp_path):
    check = check_data(arrays(tmp_path, np.ones((16, 4), np.float32), np.arange(16) % 2))
    assert check.error is None
    assert "in training too" in told(check)


def test_a_wrong_line_of_a_table_that_cannot_be_listed_is_in_the_list_of_bad_files(tmp_path):
    (tmp_path / "t.csv").write_text("size,price\n" + "1,2\n" * 9 + "3\n")
    config = {
        "version": 1,
        "source": {"name": "table", "path": "t.csv", "targets": {"price": "number"}},
        "sequence": "table",
        "batch_size": 8,
        "model": "tabular",
        "compile": {"loss": "mse"},
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    with pytest.raises(DataError, match="one cell for each column"):
        check_data(load_config(tmp_path / "c.yaml"), tmp_path / "out")
    assert (tmp_path / "out" / "bad_files.txt").read_text() == f"{tmp_path}/t.csv:11\n"


def test_equal_rows_with_several_targets_are_told(tmp_path):
    rows = [f"{n},{n % 3},{n * 2.5},{'ab'[n % 2]}" for n in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["size,rooms,price,kind", *rows, rows[0], rows[0]]) + "\n")
    config = {
        "version": 1,
        "source": {"name": "table", "path": "t.csv", "targets": {"price": "number", "kind": "class"}},
        "sequence": "table",
        "batch_size": 8,
        "model": "tabular",
        "compile": {"loss": {"price": "mse", "kind": "sparse_categorical_crossentropy"}},
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    check = check_data(load_config(tmp_path / "c.yaml"))
    assert check.error is None
    assert check.document["duplicates"]["samples"] == 3


def test_masks_are_counted_by_class(tmp_path):
    for number in range(4):
        for name in ("images", "masks"):
            (tmp_path / name).mkdir(exist_ok=True)
        noise(number).save(tmp_path / "images" / f"{number}.png")
        mask = np.zeros(SIZE, np.uint8)
        mask[: 5 * (number % 2)] = 1
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    source = {"name": "image_mask", "images": "images", "masks": "masks", "classes": ["ground", "thing"]}
    sequence = {"name": "image_mask", "image_size": list(SIZE)}
    check = check_data(config(tmp_path, source=source, sequence=sequence, split={"train": 1, "val": 0}, model="unet"))
    # five of twenty rows in half of the masks
    assert check.to_json()["train"]["masks"]["y"] == {"shares": {"ground": 0.875, "thing": 0.125}, "empty": 2}
    assert check.to_json()["train"]["files"].keys() == {"path", "mask"}


def test_copies_among_batches_of_a_class_written_for_keras_are_named_by_their_places(tmp_path):
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "from seqtrain.registry import sequences\n"
        "@sequences.register('pictures_by_itself')\n"
        "class Pictures:\n"
        "    def __init__(self, x_set, y_set):\n"
        "        self.x, self.y = np.asarray(x_set[:]), np.asarray(y_set[:])\n"
        "    def __len__(self):\n"
        "        return len(self.x) // 2\n"
        "    def __getitem__(self, index):\n"
        "        return self.x[2 * index : 2 * index + 2], self.y[2 * index : 2 * index + 2]\n"
    )
    x = np.stack([np.asarray(noise(number)) for number in range(16)])
    x[13] = 7  # constant, which is no reason to overlook the others
    x[15] = x[12]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(16) % 2)
    source = {"name": "arrays", "x": "x.npy", "y": "y.npy"}
    own = {"source": source, "sequence": "pictures_by_itself", "imports": ["./own.py"]}
    check = check_data(config(tmp_path, **own, split={"train": 0.75, "by": "ordered"}))
    assert "1 sample is an exact copy" in told(check) and "val, batch 0, row 0 = val, batch 1, row 1" in told(check)
    assert "the picture has one value everywhere in batch 0, row 1" in told(check)
    x[15] = x[2]
    np.save(tmp_path / "x.npy", x)
    check = check_data(config(tmp_path, **own, split={"train": 0.75, "by": "ordered"}))
    assert check.mistakes[0].received.endswith("val, batch 1, row 1") and check.mistakes[0].received.startswith(
        "train, "
    )
    assert not check.bad_files


def test_batches_of_a_class_written_for_keras_are_looked_at_too(tmp_path):
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "from seqtrain.registry import sequences\n"
        "@sequences.register('batches_by_itself')\n"
        "class WholeBatches:\n"
        "    def __init__(self, x_set, y_set):\n"
        "        self.y = np.asarray(y_set[:])\n"
        "    def __len__(self):\n"
        "        return 3\n"
        "    def __getitem__(self, index):\n"
        "        if index == 1:\n"
        "            raise OSError('the disk is gone')\n"
        "        return np.full((4, 2), index, np.float32), self.y[:4]\n"
    )
    own = arrays(tmp_path, np.zeros((16, 2)), np.arange(16) % 2)
    own = config(
        tmp_path,
        source=own.config.source.to_yaml() | {"x": "x.npy", "y": "y.npy"},
        sequence="batches_by_itself",
        imports=["./own.py"],
    )
    check = check_data(own)
    assert "batch 1: OSError: the disk is gone" in told(check)
    assert check.to_json()["train"]["fields"]["x"]["max"] == [2, 2]


def test_the_command_prints_tables_or_one_document_and_ends_with_3(leaking, tmp_path):
    done = seqtrain("check", tmp_path / "config.yaml", "--data", "--json", cwd=tmp_path)
    assert done.code == done.json["exit_code"] == 3
    assert "fix: remove the copies (bad_files.txt lists them), or split by group; --allow-leakage" in done.err
    assert "Traceback" not in done.err
    assert done.json["data"]["duplicates"]["groups_across_splits"] == 1
    done = seqtrain("check", tmp_path / "config.yaml", "--data", "--allow-leakage", cwd=tmp_path)
    assert done.code == 0
    assert "and its 16 samples can be read" in done.out
    assert seqtrain("check", tmp_path / "config.yaml", "--allow-leakage").code == 2
