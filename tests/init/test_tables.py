import pytest
import yaml

from seqtrain.errors import DataError
from seqtrain.init.recipe import Recipe
from tests.init.places import found, sections, table


def test_targets_by_name_ids_and_texts_are_left_out(tmp_path):
    rows = [[n, n % 5, f"name {n}", "mf"[n % 2], n % 2, 1] for n in range(50)]
    table(tmp_path / "train.csv", ["PassengerId", "Age", "Name", "Sex", "Survived", "Same"], rows)
    table(tmp_path / "test.csv", ["PassengerId", "Age", "Name", "Sex", "Same"], [row[:4] + row[5:] for row in rows * 3])
    detection, config = sections(tmp_path, target="Survived")
    assert (
        detection.kind == "table"
        and detection.targets == ("Age", "Sex", "Survived")
        and detection.suggested.target == "Survived"
    )
    assert config["source"] == {
        "name": "table",
        "path": "train.csv",
        "targets": {"Survived": "class"},
        "ignore": ["PassengerId", "Name", "Same"],
    }
    assert config["split"]["by"] == "stratified" and "test.csv" in " ".join(detection.notes)


@pytest.mark.parametrize(
    ("name", "is_id"), [("customer_id", True), ("orderId", True), ("row ID", True), ("paid", False), ("humid", False)]
)
def test_a_column_of_ids_is_known_by_its_ending_and_by_being_nearly_all_different(name, is_id, tmp_path):
    rows = [[1000 + n, n % 3, "ab"[n % 2]] for n in range(40)]
    table(tmp_path / "t.csv", [name, "b", "label"], [*rows, rows[7]])  # a row that is there twice
    assert sections(tmp_path)[1]["source"].get("ignore") == ([name] if is_id else None)
    table(tmp_path / "t.csv", [name, "b", "label"], [[1000 + n // 2, n % 3, "ab"[n % 2]] for n in range(40)])
    assert "ignore" not in sections(tmp_path)[1]["source"]


@pytest.mark.parametrize(
    ("target", "wrong", "kind"),
    [
        (lambda n: 1000 + 7 * n, "12e", "number"),
        (lambda n: 1.5 * n, "1.250.000", "number"),
        (lambda n: n % 3, "x", "class"),
        (lambda n: f"{n % 3}a", "1", "class"),
    ],
)
def test_a_mistake_in_the_target_does_not_make_classes_of_numbers(target, wrong, kind, tmp_path):
    rows = [[n, n % 5, target(n)] for n in range(60)]
    rows[30][2] = wrong
    table(tmp_path / "t.csv", ["a", "b", "price"], rows)
    assert sections(tmp_path)[1]["source"]["targets"] == {"price": kind}


def test_classes_of_unlike_size_are_balanced_and_a_single_one_is_not_stratified(tmp_path):
    table(tmp_path / "t.csv", ["a", "b", "label"], [[n % 7, n % 3, "yes" if n < 5 else "no"] for n in range(40)])
    config = sections(tmp_path)[1]
    assert config["fit"]["class_weight"] == "balanced" and config["split"]["by"] == "stratified"
    table(tmp_path / "t.csv", ["a", "b", "label"], [[n % 7, n % 3, "yes" if n < 1 else "no"] for n in range(40)])
    assert sections(tmp_path)[1]["split"]["by"] == "random"


def test_numbers_with_a_comma_are_told_and_not_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("area;kind\n" + "".join(f"{n},5;{'ab'[n % 2]}\n" for n in range(40)))
    with pytest.raises(DataError, match="'area' holds numbers with a comma"):
        found(tmp_path)


def test_dates_are_nothing_to_predict(tmp_path):
    rows = [[n % 7, n * 1.5, f"{1 + n % 9}.03.2024"] for n in range(40)]
    table(tmp_path / "t.csv", ["rooms", "price", "when"], rows)
    detection, config = sections(tmp_path)
    assert detection.targets == ("rooms", "price") and config["source"]["ignore"] == ["when"]


def test_a_table_in_another_encoding_is_told(tmp_path):
    (tmp_path / "t.csv").write_bytes("straße;preis\n".encode("latin-1") + b"1;2\n" * 9)
    with pytest.raises(DataError, match="is not text in UTF-8"):
        found(tmp_path)


def test_a_parquet_file(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"a": [float(n % 9) for n in range(40)], "kind": ["xy"[n % 2] for n in range(40)]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    detection, config = sections(tmp_path)
    assert dict(detection.seen)["table"] == "40 rows in t.parquet" and config["source"]["targets"] == {"kind": "class"}


def test_rows_beyond_the_first_are_counted(tmp_path):
    table(tmp_path / "t.csv", ["a", "b", "price"], [[n % 7, n % 11, n / 3] for n in range(2500)])
    assert dict(sections(tmp_path)[0].seen)["table"] == "2,500 rows in t.csv"


def test_ratings_with_columns_of_other_names_and_without_a_header(tmp_path):
    table(tmp_path / "a" / "stars.csv", ["user", "item_id", "stars"], [[n % 5, n % 7, n % 4] for n in range(60)])
    source = sections(tmp_path / "a")[1]["source"]
    assert source == {
        "name": "ratings",
        "path": "stars.csv",
        "user_column": "user",
        "item_column": "item_id",
        "rating_column": "stars",
    }
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "u.data").write_text("".join(f"{n % 5}\t{n % 7}\t{n % 4 + 1}\t88{n}\n" for n in range(60)))
    assert sections(tmp_path / "b")[1]["source"] == {"name": "ratings", "path": "u.data"}


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_without_a_header(channels, tmp_path):
    table(tmp_path / "p.csv", None, [[n % 2, *([n] * 12 * 12 * channels)] for n in range(20)])
    detection, config = sections(tmp_path)
    assert detection.kind == "csv_pixels" and config["source"]["image_size"] == [12, 12]
    assert config["source"].get("channels", 1) == channels


def test_one_file_may_be_named(tmp_path):
    for name in ("a", "b"):
        table(tmp_path / f"{name}.csv", ["x", "y", name], [[n % 3, n % 5, n / 7] for n in range(30)])
    assert found(tmp_path / "b.csv")[0].targets == ("x", "y", "b")


@pytest.mark.parametrize("name", ["Patient [ID]", "a, b", "site: no", "{x}"])
def test_a_column_whose_name_is_no_plain_text_in_yaml_is_quoted(name):
    recipe = Recipe("table", "A table.", {"name": "table", "path": "t.csv"}, by="group", column=name)
    assert yaml.safe_load(recipe.to_yaml("a test"))["split"]["column"] == name
