from importlib import metadata

from tests.conftest import CONFIGS, seqtrain


def test_doctor_prints_a_document_of_every_part_and_its_exit_code_is_that_of_the_worst(tmp_path):
    done = seqtrain("doctor", CONFIGS / "cached_digits.yaml", "--json", cwd=tmp_path)
    document = done.json
    assert done.code == {"ok": 0, "warning": 0, "problem": 6}[document["status"]]
    found = {(each["group"], each["name"]): each for each in document["findings"]}
    assert {group for group, _ in found} == {"versions", "decoders", "memory", "disk", "workers", "devices"}
    assert found["versions", "keras"]["told"] == metadata.version("keras")
    assert found["devices", "keras"]["told"].startswith(f"{metadata.version('keras')} on ")
    assert found["workers", "process"]["status"] != "problem"
    assert str(CONFIGS) in found["disk", "cache"]["told"]
    assert all(each["fix"] for each in document["findings"] if each["status"] != "ok")
    assert list(tmp_path.iterdir()) == []


def test_doctor_refuses_a_wrong_config_like_every_command(tmp_path):
    (tmp_path / "c.yaml").write_text("epochs: 3\n")
    assert seqtrain("doctor", tmp_path / "c.yaml").code == 2
