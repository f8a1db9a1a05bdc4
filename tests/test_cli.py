"""The command line as people and scripts use it: usage, configs and batches."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from PIL import Image

from seqtrain.config import load_config
from seqtrain.config.reader import read_file
from tests.conftest import CONFIGS, DATA, ROOT, seqtrain


def test_help_names_every_command():
    done = seqtrain("--help")
    assert done.code == 0
    for command in ("fit", "inspect-batches", "check", "list", "config"):
        assert command in done.out


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["check", CONFIGS / "digits.yaml"], ["config", "schema"]])
def test_commands_that_need_no_keras_do_not_import_it(arguments):
    code = (
        "import sys; from seqtrain.cli import main\n"
        f"sys.argv = ['seqtrain', *{list(map(str, arguments))!r}]\n"
        "try: main()\n"
        "finally: print([n for n in ('keras', 'tensorflow', 'jax') if n in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fit"], "Missing argument"),
        (["fit", "c.yaml", "--nonsense"], "No such option"),
        (["fit", "c.yaml", "--progress", "loud"], "Invalid value"),
        (["nonsense"], "No such command"),
        (["check", "nowhere.yaml"], "no such config file"),
        (["fit", "nowhere.yaml"], "no such config file"),
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(arguments, told):
    done = seqtrain(*arguments)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    document = seqtrain(*arguments, "--json").json
    assert (document["status"], document["exit_code"]) == ("failed", 2)
    assert told.lower() in document["mistakes"][0]["message"].lower()


def test_check_says_yes_and_tells_all_mistakes_with_2(points):
    assert seqtrain("check", points).code == 0
    done = seqtrain("check", points, "-s", "fit.epochs=0", "-s", "model.unit=3", "--json")
    assert done.code == 2
    assert done.json["status"] == "failed"
    assert [mistake["where"] for mistake in done.json["mistakes"]] == ["-s fit.epochs=0", "-s model.unit=3"]
    assert done.json["mistakes"][1]["fix"] == "did you mean 'units'?"


def test_list_prints_every_family_and_its_arguments():
    document = seqtrain("list", "--json").json
    assert set(document) == {"sources", "sequences", "models", "losses", "metrics", "callbacks"}
    image = next(item for item in document["sequences"] if item["name"] == "image")
    assert image["arguments"]["image_size"]["required"]
    assert "image_folder" in seqtrain("list", "sources").out


def test_list_of_a_name_tells_all_of_it_in_each_family_and_the_configs_that_use_it():
    source, sequence = seqtrain("list", "table", "--json", cwd=ROOT).json
    assert (source["family"], sequence["family"]) == ("source", "sequence")
    assert sequence["shapes"].startswith("x") and "name: table" in sequence["example"]
    assert source["configs"] == ["configs/my_frame.yaml", "configs/table.yaml"]
    assert sequence["configs"] == ["configs/table.yaml"]
    (loss,) = seqtrain("list", "dice_cross_entropy", "--json", cwd=CONFIGS).json
    assert "segmentation.yaml" in loss["configs"] and "table.yaml" not in loss["configs"]
    text = seqtrain("list", "tqdm", cwd=ROOT).out
    assert "  metrics_format (str, default {name}: {value:0.4f})" in text and "  configs/digits.yaml" in text


def test_list_of_an_unknown_name_suggests_one():
    done = seqtrain("list", "image_folders", "--json")
    assert done.code == 2 and done.json["mistakes"][0]["fix"] == "did you mean 'image_folder'?"


def test_a_pipe_that_nobody_reads_any_more_ends_with_141_and_no_words():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "seqtrain", "list"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_config_show_feeds_back_to_the_same_config(points):
    shown = seqtrain("config", "show", points, "-s", "fit.epochs=1")
    again = points.with_name("again.yaml")
    again.write_text(shown.out)
    assert seqtrain("config", "show", again).out == shown.out
    assert yaml.safe_load(shown.out)["fit"]["epochs"] == 1


def test_config_schema_accepts_every_shipped_config_and_refuses_a_mistake():
    import jsonschema

    schema = seqtrain("config", "schema", CONFIGS / "my_sequences.yaml").json
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted(CONFIGS.glob("*.yaml")):
        document = load_config(path).config.to_yaml()
        assert not list(validator.iter_errors(document)), path
        assert not list(validator.iter_errors(read_file(path, []).plain())), path
    shown = seqtrain("config", "show", path, "--json").json
    assert shown == json.loads(json.dumps(document))
    shown["model"]["filtres"] = [3]
    assert list(validator.iter_errors(shown))


def test_inspect_batches_shows_the_batches_of_fit(tmp_path):
    done = seqtrain("inspect-batches", CONFIGS / "digits.yaml", "--all", "--json", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    document = done.json
    assert document["train"]["samples"] == 800
    assert document["val"]["samples"] == 200
    ids = [index for batch in document["batches"] for index in batch["sample_ids"]]
    assert len(ids) == len(set(ids)) == 800
    field = document["batches"][0]["fields"]["x"]
    assert (field["shape"], field["dtype"]) == ([64, 32, 32, 1], "uint8")
    with Image.open(document["images"][0]) as sheet:
        assert sheet.width > 400


def test_inspect_batches_is_the_same_with_any_workers_and_new_in_another_epoch(tmp_path):
    def digests(*options):
        done = seqtrain("inspect-batches", CONFIGS / "digits.yaml", "-n", 3, "--json", "--out", tmp_path, *options)
        return [batch["fields"]["x"]["sha256"] for batch in done.json["batches"]]

    assert digests("-s", "fit.workers=0") == digests("-s", "fit.workers=4")
    assert digests("--epoch", 1) != digests()
    assert digests("--split", "val", "--epoch", 1) == digests("--split", "val")


def test_inspect_batches_tells_a_person_what_is_in_them(tmp_path):
    done = seqtrain("inspect-batches", CONFIGS / "ratings.yaml", cwd=tmp_path)
    assert "train  6400 samples in 100 batches" in done.out
    assert "x.user" in done.out
    assert "sample  x.user" in done.out


def test_of_many_mistakes_a_person_sees_some_and_scripts_get_all(tmp_path):
    rows = "".join("1,x,3\n" for _ in range(50))
    (tmp_path / "ratings.csv").write_text(f"userId,movieId,rating\n1,2,3\n{rows}")
    settings = ["-s", f"source.path={tmp_path / 'ratings.csv'}", "--data", "--json", "--out", tmp_path]
    done = seqtrain("check", CONFIGS / "ratings.yaml", *settings, cwd=tmp_path)
    assert done.code == 3 and len(done.json["mistakes"]) == 50
    assert done.err.count("the cell of column 'movieId' is no whole number") == 20
    assert "and 30 more; --json has them all\n50 mistakes" in done.err
    assert (tmp_path / "bad_files.txt").read_text().splitlines() == [
        f"{tmp_path / 'ratings.csv'}:{line}" for line in range(3, 53)
    ]


def test_bad_data_ends_with_3_and_names_the_file(tmp_path):
    folder = tmp_path / "digits"
    for name in ("0", "1"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            image = DATA / "digits" / name
            (folder / name / f"{number}.png").write_bytes(sorted(image.iterdir())[number].read_bytes())
    broken = folder / "1" / "2.png"
    broken.write_bytes(broken.read_bytes()[:200])
    options = ["-s", f"source.path={folder}", "-s", "split={train: 0.5, by: stratified}", "-s", "batch_size=2"]
    for command in ("fit", "inspect-batches", "check"):
        extra = {"check": ["--data"], "inspect-batches": ["--all"], "fit": ["-s", "fit.epochs=1"]}[command]
        done = seqtrain(command, CONFIGS / "digits.yaml", *options, *extra, cwd=tmp_path)
        if command == "inspect-batches" and done.code == 0:
            done = seqtrain(command, CONFIGS / "digits.yaml", *options, *extra, "--split", "val", cwd=tmp_path)
        assert done.code == 3, done.err
        assert str(broken) in done.err
        assert "fix: " in done.err
        assert "Traceback" not in done.err
