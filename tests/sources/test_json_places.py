import pytest

from seqtrain.errors import DataError
from seqtrain.sources.json_places import decoded_text, json_items, read_item

TEXT = '\ufeff { "skipped" : [[1], {"a": "]}"}], "b":[ ],\n"a" : [ {"name" : "Größe"} ,\t[1,2] , 3.5 ], "z": null } '


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.json").write_text(TEXT, encoding="utf-8")
    return tmp_path / "a.json"


def test_items_are_told_with_places_where_they_can_be_read_again(path):
    items = list(json_items(path, ["a", "b"]))
    assert [item.key for item in items] == ["a", "a", "a"]
    assert decoded_text(items[0].value["name"]) == "Größe"
    assert [item.value for item in items[1:]] == [[1, 2], 3.5]
    again = [read_item(path, item.start, item.length) for item in items]
    assert again == [{"name": "Größe"}, [1, 2], 3.5]


def test_text_that_was_written_with_escapes_is_left_as_it_is():
    assert decoded_text("日本") == "日本"
    assert decoded_text("Größe".encode().decode("latin-1")) == "Größe"


@pytest.mark.parametrize("length", range(4, len(TEXT.encode()) - 2))
def test_a_file_that_was_cut_off_anywhere_is_told(path, length):
    path.write_bytes(TEXT.encode()[:length])
    with pytest.raises(DataError, match=r"a.json:[12]:\d+  the file is no JSON object"):
        list(json_items(path, ["a", "b"]))


def test_a_list_that_is_missing_is_told(path):
    with pytest.raises(DataError, match="a.json  there is no list 'z'\n  expected lists of a, z"):
        list(json_items(path, ["a", "z"]))


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(DataError, match="none.json  no such file"):
        list(json_items(tmp_path / "none.json", ["a"]))
