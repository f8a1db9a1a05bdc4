from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.table import Table
from seqtrain.sources.table_file import Categories

FLATS = """id,area,rooms,city,zip,price,kind
f1,50.5,2,Bern,3000,100.5,flat
f2,,3,Basel,4000,120.25,house
f3,70,4,,3000,99.75,flat
f4,80,5,Bern,8000,101,loft
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "flats.csv"
    file.write_text(FLATS)
    return file


def test_columns_that_no_list_names_are_used_by_what_they_hold(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "seqtrain"):
        source = Table(path, targets={"price": "number", "kind": "class"}, categorical=["zip", "city"], ignore=["id"])
    assert source.numeric == ("area", "rooms")
    assert source.categorical == ("zip", "city")
    np.testing.assert_array_equal(source.numbers, np.array([[50.5, 2], [np.nan, 3], [70, 4], [80, 5]], np.float32))
    assert source.categories["zip"].names == ("3000", "4000", "8000")
    assert source.categories["city"].codes.tolist() == [1, 0, -1, 1]
    assert "numbers area, rooms; categories zip, city; left out id" in caplog.text
    assert source[2] == {"area": 70, "rooms": 4, "zip": "3000", "city": None, "price": 99.75, "kind": "flat"}
    assert source.describe(2) == f"{path}:4"


def test_lists_of_both_kinds_leave_the_rest_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "seqtrain"):
        source = Table(path, target="price", numeric=["rooms"], categorical=[])
    assert (source.numeric, source.categorical) == (("rooms",), ())
    assert caplog.text == ""


def test_the_only_class_gives_labels_and_names_beside_a_number(path: Path) -> None:
    source = Table(path, targets={"price": "number", "kind": "class"})
    assert source.labels is not None
    assert source.labels.tolist() == [0, 1, 0, 2]
    assert source.classes == ("flat", "house", "loft")


def test_a_single_number_gives_labels_and_no_classes(path: Path) -> None:
    source = Table(path, target="price")
    assert source.labels is not None
    assert source.labels.tolist() == [100.5, 120.25, 99.75, 101]
    assert source.classes is None
    assert isinstance(Table(path, target="kind").targets["kind"], Categories)


def test_several_classes_or_numbers_give_no_labels(path: Path) -> None:
    for kinds in ("class", "number"):
        source = Table(path, targets={"rooms": kinds, "zip": kinds})
        assert source.labels is None
        assert source.classes is None


def test_groups_come_from_any_column_also_one_that_is_left_out(path: Path) -> None:
    source = Table(path, target="price", ignore=["zip"])
    assert source.column("zip").tolist() == [0, 1, 0, 2]
    assert source.column("id").tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"flats\.csv:4  the cell of column 'city' is empty"):
        source.column("city")
    with pytest.raises(DataError, match="there is no column 'patient'"):
        source.column("patient")


def test_missing_values_are_refused_on_request(path: Path) -> None:
    with pytest.raises(DataError, match=r"flats\.csv:3  the cell of column 'area' is empty"):
        Table(path, target="price", missing="error")
    with pytest.raises(DataError, match=r"flats\.csv:4  the cell of column 'city' is empty"):
        Table(path, target="price", ignore=["area"], missing="error")


def test_a_row_without_target_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"flats\.csv:3  the target 'area' is missing"):
        Table(path, target="area")
    with pytest.raises(DataError, match=r"flats\.csv:4  the target 'city' is missing"):
        Table(path, targets={"city": "class"})


def test_a_target_is_not_advised_to_be_left_empty(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n1,0.5\n2,x\n3,1.5\n4,2.5\n")
    for arguments in ({"target": "y"}, {"targets": {"y": "number"}}):
        with pytest.raises(DataError, match=r"t\.csv:3(.|\n)*fix: correct the cell, or leave the row out"):
            Table(tmp_path / "t.csv", **arguments)


def test_a_class_that_may_mean_no_value_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("a,kind\n1,x\n2,NA\n3,y\n4,NA\n")
    assert Table(tmp_path / "t.csv", target="kind").classes == ("NA", "x", "y")
    assert "the target 'kind' has a class 'NA' (2 rows)" in caplog.text


def test_whole_numbers_may_be_classes_or_amounts_and_must_be_called_one(path: Path) -> None:
    with pytest.raises(ConfigError, match="'rooms' holds 4 whole numbers") as refused:
        Table(path, target="rooms")
    assert "targets: {rooms: class}" in str(refused.value)
    assert Table(path, targets={"rooms": "class"}).classes == ("2", "3", "4", "5")
    assert Table(path, targets={"rooms": "number"}).classes is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs `target` or `targets`"),
        ({"target": "price", "targets": {"kind": "class"}}, "needs `target` or `targets`"),
        ({"target": "price", "numeric": ["price"]}, "'price' is named in targets and in numeric"),
        ({"target": "price", "numeric": ["area", "area"]}, "'area' is named twice in numeric"),
        ({"target": "price", "numeric": [], "categorical": []}, "no columns to predict from"),
    ],
)
def test_columns_with_two_roles_or_none_are_refused(path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Table(path, **arguments)


def test_a_name_of_no_column_is_answered_with_the_nearest(path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no column 'prise'(.|\n)*did you mean 'price'"):
        Table(path, target="prise")


def test_a_column_of_names_that_hardly_repeat_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("id,y\n" + "".join(f"row{number},{number}.5\n" for number in range(150)))
    with caplog.at_level(logging.WARNING, "seqtrain"):
        Table(path, target="y")
    assert "'id' has 150 values in 150 rows" in caplog.text


def test_parquet_gives_the_same_table(path: Path, tmp_path: Path) -> None:
    strings_null = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(path, convert_options=strings_null), tmp_path / "flats.parquet")
    arguments = {"targets": {"price": "number", "kind": "class"}, "categorical": ["zip", "city"], "ignore": ["id"]}
    one, other = Table(path, **arguments), Table(tmp_path / "flats.parquet", **arguments)
    assert [one[row] | {"area": 0} for row in range(4)] == [other[row] | {"area": 0} for row in range(4)]
    np.testing.assert_array_equal(one.numbers, other.numbers)
