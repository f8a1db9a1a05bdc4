from tests.conftest import CONFIGS, seqtrain


def test_explain_takes_a_run_folder(tmp_path):
    (tmp_path / "config.yaml").write_text((CONFIGS / "synthetic_sum.yaml").read_text())
    document = seqtrain("config", "explain", tmp_path, "fit.epochs", "--json").json
    assert document["config"] == str(tmp_path / "config.yaml")
    assert document["values"][0]["places"][0].startswith(f"{tmp_path}/config.yaml:")
    (tmp_path / "empty").mkdir()
    assert seqtrain("config", "explain", tmp_path / "empty").code == 4


def test_explain_prints_a_table_and_a_document():
    table = seqtrain("config", "explain", CONFIGS / "digits.yaml", "fit", "-s", "fit.epochs=3", env={"COLUMNS": "150"})
    assert table.code == 0
    assert table.err == ""
    assert "\x1b" not in table.out
    assert table.out.splitlines()[3].split()[:3] == ["epochs", "3", "-s"]
    document = seqtrain("config", "explain", CONFIGS / "vae.yaml", "model.latent_size", "--json").json
    assert document["values"] == [
        {
            "key": "model.latent_size",
            "value": 8,
            "origin": "file",
            "places": [f"{CONFIGS}/vae.yaml:3:52"],
            "meaning": "The size of the latent vectors.",
        }
    ]


def test_diff_exits_with_0_although_something_differs():
    other = seqtrain("config", "diff", CONFIGS / "digits.yaml", CONFIGS / "cached_digits.yaml")
    assert other.code == 0
    assert "cache.after\n  - (nothing)\n  + decode" in other.out
    same = seqtrain("config", "diff", CONFIGS / "digits.yaml", CONFIGS / "digits.yaml", "--json")
    assert (same.code, same.json["same"], same.json["differences"]) == (0, True, [])
