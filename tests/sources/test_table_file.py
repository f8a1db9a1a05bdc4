from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from seqtrain.errors import MOST_LISTED, DataError
from seqtrain.sources.table_file import ColumnKind, column_names, read_columns


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text.encode())
    return path


def parquet_file(folder: Path, **columns: object) -> Path:
    path = folder / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_columns_become_numbers_and_categories_by_what_most_of_their_cells_are(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b,c\n1.5,x,7\n,y,8\n-2e1, x ,\n")
    columns = read_columns(path, {"c": "either", "a": "either", "b": "either"})
    assert set(columns.numbers) == {"a", "c"}
    np.testing.assert_array_equal(columns.numbers["a"], np.array([1.5, np.nan, -20], np.float32))
    np.testing.assert_array_equal(columns.numbers["c"], np.array([7, 8, np.nan], np.float32))
    assert columns.numbers["a"].dtype == np.float32
    assert columns.categories["b"].names == ("x", "y")
    assert columns.categories["b"].codes.tolist() == [0, 1, 0]
    assert columns.categories["b"].codes.dtype == np.int32
    assert columns.num_rows == 3


def test_names_that_are_whole_numbers_are_sorted_as_such_and_empty_cells_have_no_name(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b\n10,NA\n9,\n-1,b\n10,\n")
    columns = read_columns(path, {"a": "category", "b": "category"})
    assert columns.categories["a"].names == ("-1", "9", "10")
    assert columns.categories["a"].codes.tolist() == [2, 1, 0, 2]
    assert columns.categories["b"].names == ("NA", "b")
    assert columns.categories["b"].codes.tolist() == [0, -1, 1, -1]


@pytest.mark.parametrize("word", ["", "NA", "n/a", "NaN", "null", "  "])
def test_words_for_a_missing_number_are_nan(tmp_path: Path, word: str) -> None:
    columns = read_columns(csv_file(tmp_path, f"a,b\n1,2\n{word},2\n"), {"a": "number"})
    assert np.isnan(columns.numbers["a"]).tolist() == [False, True]


@pytest.mark.parametrize("text", ["a;b\n1;x,y\n2;z\n", "a\tb\r\n1\tx,y\r\n2\tz\r\n", '\ufeffa,b\n1,"x,y"\n2,z'])
def test_separators_line_ends_and_quotes_are_understood(tmp_path: Path, text: str) -> None:
    columns = read_columns(csv_file(tmp_path, text), {"a": "either", "b": "either"})
    assert columns.numbers["a"].tolist() == [1, 2]
    assert columns.categories["b"].names == ("x,y", "z")


@pytest.mark.parametrize(
    ("cell", "message"), [("1,5x", "is no number"), ("inf", "is infinite"), ("1e39", "is infinite"), ("?", "no number")]
)
def test_a_bad_cell_is_named_by_its_line_and_column_also_after_many_rows(
    tmp_path: Path, cell: str, message: str
) -> None:
    rows = "".join(f"{number};a\n" for number in range(5000))
    path = csv_file(tmp_path, f"size;b\n{rows}{cell};b\n1;c\n")
    with pytest.raises(DataError, match=rf"t\.csv:5002  the cell of column 'size' .*{message}") as refused:
        read_columns(path, {"size": "either"})
    assert f"received '{cell}'" in str(refused.value)
    assert "list the column under `categorical`" in str(refused.value)


@pytest.mark.parametrize("cell", ["1_0", "1\u0661", "0x1F", "nan(1)", "1 2", "+-1", "."])
def test_what_only_python_or_pyarrow_take_for_a_number_is_none(tmp_path: Path, cell: str) -> None:
    for other in ("1", ""):  # a column without and with missing numbers
        with pytest.raises(DataError, match=r"t\.csv:3  the cell of column 'a' is no number"):
            read_columns(csv_file(tmp_path, f"a,b\n{other},x\n{cell},y\n"), {"a": "number"})


def test_numbers_are_read_as_python_reads_them(tmp_path: Path) -> None:
    cells = ["+1", " -2. ", ".5", "1e3", "1.5E-3", "0.1", "007", "16777217", "3.4028234e38"]
    columns = read_columns(csv_file(tmp_path, "\n".join(["a;b", *(f"{cell};x" for cell in cells)])), {"a": "number"})
    assert columns.numbers["a"].tolist() == [np.float32(float(cell)) for cell in cells]


def test_text_has_no_blanks_around_it_and_may_be_read_from_parquet(tmp_path: Path) -> None:
    columns = read_columns(csv_file(tmp_path, "a,b\n x ,1\n,NA\n"), {"b": "text", "a": "text"})
    assert columns.texts == {"b": ["1", "NA"], "a": ["x", ""]}
    path = parquet_file(tmp_path, a=[" x", None], b=[1.5, 2.0])
    assert read_columns(path, {"b": "text", "a": "text"}).texts == {"b": ["1.5", "2"], "a": ["x", ""]}


def test_lines_are_right_after_blank_lines_and_cells_that_hold_line_breaks(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'a,b\n1,x\n\n2,"y\nz"\n3,x\n4,x\n')
    columns = read_columns(path, {"a": "number"})
    assert [columns.places.of(row) for row in range(4)] == [f"{path}:{line}" for line in (2, 5, 6, 7)]


def test_files_and_rows_that_are_no_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv  no such file"):
        read_columns(tmp_path / "none.csv", {})
    with pytest.raises(DataError, match="the file cannot be read: Is a directory"):
        read_columns(tmp_path, {})
    with pytest.raises(DataError, match="is empty"):
        read_columns(csv_file(tmp_path, "\n"), {})
    with pytest.raises(DataError, match="has a header and no rows"):
        read_columns(csv_file(tmp_path, "a,b\n\n"), {"a": "number"})
    with pytest.raises(DataError, match="two columns are called 'a'"):
        column_names(csv_file(tmp_path, "a,a\n1,2\n"))
    with pytest.raises(DataError, match=r"t\.csv:1  there is no column 'rent'\n  expected one of: rant, b\n(.*)'rant'"):
        read_columns(csv_file(tmp_path, "rant,b\n1,2\n"), {"rent": "number"})
    with pytest.raises(DataError, match=r"t\.csv:3  the row does not have one cell for each(.|\n)*expected 2 cells"):
        read_columns(csv_file(tmp_path, "a,b\n1,2\n1,2,3\n"), {"a": "number"})
    with pytest.raises(DataError, match=r"t\.csv:3  the row cannot be read"):
        read_columns(csv_file(tmp_path, 'a,b\n1,2\n1,"2"x\n'), {"a": "number"})
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff,2\n")
    with pytest.raises(DataError, match=r"t\.csv:2  is not text in UTF-8"):
        read_columns(tmp_path / "t.csv", {"a": "number"})


def test_numbers_with_a_decimal_comma_are_no_categories(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "price;town\n1.250,50;Rom\n;Bonn\n-7,5;Rom\n")
    with pytest.raises(DataError, match=r"t.csv:2  the column 'price' holds numbers with a comma(?s:.*)'1.250,50'"):
        read_columns(path, {"town": "either", "price": "either"})
    assert read_columns(path, {"price": "category"}).categories["price"].names == ("-7,5", "1.250,50")
    few = csv_file(tmp_path, "kind;n\nA 1,2;1\n3,4;2\nB;3\n")
    assert read_columns(few, {"kind": "either"}).categories["kind"].names == ("3,4", "A 1,2", "B")


def told(path: Path, kinds: dict[str, ColumnKind], targets: Sequence[str] = ()) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_columns(path, kinds, targets)
    return [f"{Path(mistake.where or '').name} {mistake.message}" for mistake in caught.value.mistakes]


def test_wrong_cells_and_rows_of_the_whole_file_are_told_in_one_go(tmp_path: Path) -> None:
    rows = ["1,2024-01-01"] * 9000
    rows[3] = "one,2024-01-01"
    rows[4500] = "1"
    rows[8000] = "1e99,someday"
    path = csv_file(tmp_path, "\n".join(["a,at", *rows, ""]))
    assert told(path, {"a": "number", "at": "time"}) == [
        "t.csv:5 the cell of column 'a' is no number",
        "t.csv:4502 the row does not have one cell for each column",
        "t.csv:8002 the cell of column 'a' is infinite",
        "t.csv:8002 the cell of column 'at' is no time",
    ]


def test_of_a_column_that_is_something_else_one_cell_is_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "\n".join(["a,b,c", *["red,'1,5',monday".replace("'", '"')] * 9000, ""]))
    assert told(path, {"a": "number", "b": "either", "c": "time"}) == [
        "t.csv:2 the cell of column 'a' is no number",
        "t.csv:2 the column 'b' holds numbers with a comma",
        "t.csv:2 the cell of column 'c' is no time",
    ]


def test_no_wrong_cell_of_many_is_left_out_and_a_target_may_not_be_empty(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b\n1,2\n" + "x,3\n1e99,\n" * 30)
    lines = [(line, "is no number" if line % 2 else "is infinite") for line in range(3, 63)]
    assert told(path, {"a": "number"}) == [f"t.csv:{line} the cell of column 'a' {what}" for line, what in lines]
    assert told(path, {"a": "number", "b": "either"}, ["b"])[:3] == [
        "t.csv:3 the cell of column 'a' is no number",
        "t.csv:4 the cell of column 'a' is infinite",
        "t.csv:4 the target 'b' is missing",
    ]


def test_a_target_that_is_no_number_of_a_column_of_numbers_is_missing(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b,c\n1,1,x\nNA,null,NA\nx,3,\n4,,y\n")
    assert told(path, {"a": "number", "b": "either", "c": "category"}, ["a", "b", "c"]) == [
        "t.csv:3 the target 'a' is missing",
        "t.csv:3 the target 'b' is missing",
        "t.csv:4 the cell of column 'a' is no number",
        "t.csv:4 the target 'c' is missing",
        "t.csv:5 the target 'b' is missing",
    ]


def test_of_a_target_that_is_empty_throughout_one_cell_is_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b\n" + "1,\n" * 9000)
    assert told(path, {"a": "number", "b": "number"}, ["b"]) == ["t.csv:2 the target 'b' is missing"]
    path = csv_file(tmp_path, "a,b\n" + "1,\n2,7\n" * 3)
    assert len(told(path, {"b": "number"}, ["b"])) == 3


def test_of_a_target_with_commas_no_empty_cell_is_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'a,b\n1,"1,5"\n2,"2,5"\n3,\n')
    assert told(path, {"b": "either"}, ["b"]) == ["t.csv:2 the column 'b' holds numbers with a comma"]


def test_what_is_wrong_everywhere_is_not_read_to_the_end(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a\n" + "1\nx\n" * 20_000)
    assert len(told(path, {"a": "number"})) == MOST_LISTED


def test_times_are_numbers_or_iso_8601(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b\n5,2024-03-31 00:00\n6.5,2024-03-31T00:00:01Z\n7,2024-03-31T02:00:02+02:00\n")
    columns = read_columns(path, {"a": "time", "b": "time"})
    assert columns.numbers["a"].tolist() == [5, 6.5, 7]
    assert np.diff(columns.numbers["b"]).tolist() == [1e6, 1e6]
    with pytest.raises(DataError, match=r"t\.csv:3  the cell of column 'a' is no time(.|\n)*fix: write all times as"):
        read_columns(csv_file(tmp_path, "a,b\n2024-03-31,1\n31.3.2024,2\n"), {"a": "time"})


def test_parquet_is_read_as_the_same_table_in_csv(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "whole": pyarrow.array([3, None, 5]),
            "real": pyarrow.array([0.5, 1.5, None]),
            "text": pyarrow.array(["b", None, "a"]),
            "coded": pyarrow.array(["y", "y", ""]).dictionary_encode(),
            "flag": pyarrow.array([True, False, None]),
            "when": pyarrow.array([datetime(2024, 1, 1), datetime(2024, 1, 2), datetime(2024, 1, 3)]),
        }
    )
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    assert column_names(path) == table.column_names
    kinds = dict.fromkeys(["whole", "real", "text", "coded", "flag"], "either")
    columns = read_columns(path, {**kinds, "when": "time"})
    np.testing.assert_array_equal(columns.numbers["whole"], np.array([3, np.nan, 5], np.float32))
    np.testing.assert_array_equal(columns.numbers["real"], np.array([0.5, 1.5, np.nan], np.float32))
    np.testing.assert_array_equal(columns.numbers["flag"], np.array([1, 0, np.nan], np.float32))
    assert (columns.categories["text"].names, columns.categories["text"].codes.tolist()) == (("a", "b"), [1, -1, 0])
    assert (columns.categories["coded"].names, columns.categories["coded"].codes.tolist()) == (("y",), [0, 0, -1])
    assert np.diff(columns.numbers["when"]).tolist() == [86400e6, 86400e6]
    assert read_columns(path, {"whole": "category"}).categories["whole"].names == ("3", "5")
    assert columns.places.of(0) == f"{path}:1"


def test_parquet_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.parquet  the column 'a' cannot be read as number(.|\n)*received string"):
        read_columns(parquet_file(tmp_path, a=["x"]), {"a": "number"})
    with pytest.raises(DataError, match=r"t\.parquet:2  the cell of column 'a' is infinite"):
        read_columns(parquet_file(tmp_path, a=[1.0, float("inf")]), {"a": "number"})
    with pytest.raises(DataError, match="has a header and no rows"):
        read_columns(parquet_file(tmp_path, a=pyarrow.array([], "string")), {"a": "category"})
    (tmp_path / "t.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is no Parquet file"):
        column_names(tmp_path / "t.parquet")


def test_what_is_wrong_in_all_columns_of_a_parquet_file_is_told_in_one_go(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, a=[1.0, float("inf"), -1e39], b=["x", "y", "z"], c=[1.0, 2.0, float("inf")])
    assert told(path, {"a": "number", "b": "number", "c": "either"}) == [
        "t.parquet the column 'b' cannot be read as number",
        "t.parquet:2 the cell of column 'a' is infinite",
        "t.parquet:3 the cell of column 'a' is infinite",
        "t.parquet:3 the cell of column 'c' is infinite",
    ]


def test_an_empty_first_time_does_not_make_the_others_wrong(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,at\n1,n/a\n" + "".join(f"1,{n}\n" for n in range(50)))
    assert told(path, {"a": "number", "at": "time"}) == ["t.csv:2 the cell of column 'at' is no time"]


def test_what_was_found_before_bytes_that_are_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\nx\n" + b"1\n" * 20_000 + b"\xff\n")
    assert told(path, {"a": "number"}) == ["t.csv:2 the cell of column 'a' is no number"]
