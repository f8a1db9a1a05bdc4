from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import MOST_LISTED, ConfigError, DataError
from seqtrain.sources.ratings import Ratings

HEADER = "userId,movieId,rating,timestamp\n"


def table(folder: Path, text: str) -> Path:
    path = folder / "ratings.csv"
    path.write_bytes(text.encode())
    return path


def test_ids_are_mapped_to_dense_indices_of_the_whole_table(tmp_path: Path) -> None:
    source = Ratings(table(tmp_path, HEADER + "7,300,4.5,1\n2,10,3.0,2\n7,10,0.5,3\n"))
    assert len(source) == 3
    assert (source.num_users, source.num_items) == (2, 2)
    assert source.user_ids.tolist() == [2, 7]
    assert source.item_ids.tolist() == [10, 300]
    assert source.groups.tolist() == [1, 0, 1]
    assert source.items.tolist() == [1, 0, 0]
    assert source.labels.tolist() == [4.5, 3.0, 0.5]
    assert (source.groups.dtype, source.items.dtype, source.labels.dtype) == (np.int32, np.int32, np.float32)
    assert source[0] == {"user": 1, "item": 1, "rating": 4.5}
    assert source.describe(2) == f"{tmp_path / 'ratings.csv'}:4"


def test_a_tab_separated_table_without_header_is_read_by_position(tmp_path: Path) -> None:
    source = Ratings(table(tmp_path, "196\t242\t3\t881250949\n186\t302\t5\t891717742\n"))
    assert source.user_ids.tolist() == [186, 196]
    assert source.labels.tolist() == [3, 5]
    assert source.describe(0).endswith("ratings.csv:1")


@pytest.mark.parametrize(
    "text",
    [
        "rating,item,who\n4.5,300,7\n3.0,10,2\n",
        "\ufeffwho,item,rating\r\n7,300,4.5\r\n2,10,3.0\r\n\r\n",
        '"who"\t"item"\t"rating"\n"7"\t"300"\t"4.5"\n2\t10\t3.0',
    ],
)
def test_columns_are_found_by_name_in_every_order_line_end_and_quoting(tmp_path: Path, text: str) -> None:
    source = Ratings(table(tmp_path, text), user_column="who", item_column="item")
    assert source.user_ids[source.users].tolist() == [7, 2]
    assert source.item_ids[source.items].tolist() == [300, 10]
    assert source.labels.tolist() == [4.5, 3.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,4", "the row does not have one cell for each column\n  expected 4 cells, as in the header\n  received 2"),
        (
            "3,4,5,6,7",
            "the row does not have one cell for each column\n  expected 4 cells, as in the header\n  received 5",
        ),
        ("", "the row is blank"),
        ("x3,4,5,6", "the cell of column 'userId' is no whole number"),
        ("3\x1cx,4,5,6", "the cell of column 'userId' is no whole number"),
        ("3,4.5,5,6", "the cell of column 'movieId' is no whole number"),
        ("3,99999999999999999999,5,6", "the cell of column 'movieId' is no whole number"),
        ("3,4,good,6", "the cell of column 'rating' is no number"),
        ("3,4,,6", "the target 'rating' is missing"),
        ("3,4,nan,6", "the target 'rating' is missing"),
        ("3,4,inf,6", "the cell of column 'rating' is infinite"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = table(tmp_path, HEADER + f"1,2,3,4\n{row}\n1,3,3,4\n")
    with pytest.raises(DataError, match=rf"ratings\.csv:3  {message}\n(.|\n)*fix: "):
        Ratings(path)


def test_files_that_hold_no_ratings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ratings\.csv  no such file"):
        Ratings(tmp_path / "ratings.csv")
    with pytest.raises(DataError, match=r"ratings\.csv  is empty"):
        Ratings(table(tmp_path, ""))
    with pytest.raises(DataError, match=r"ratings\.csv  has a header and no rows"):
        Ratings(table(tmp_path, HEADER))
    with pytest.raises(DataError, match="the file cannot be read: Is a directory"):
        Ratings(tmp_path)
    (tmp_path / "ratings.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(DataError, match=r"is not text in UTF-8"):
        Ratings(tmp_path / "ratings.csv")


def test_a_missing_column_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    path = table(tmp_path, "userId,filmId,rating\n1,2,3\n")
    with pytest.raises(
        DataError, match=r"ratings\.csv:1  there is no column 'movieId'\n  expected one of: userId, filmId"
    ):
        Ratings(path)


def test_column_names_for_a_table_without_header_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "1\t2\t3\t4\n")
    with pytest.raises(ConfigError, match="has no header"):
        Ratings(path, user_column="who")


def test_the_double_colons_of_an_older_release_are_answered_with_a_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is separated by '::'(.|\n)*sed"):
        Ratings(table(tmp_path, "1::1193::5::978300760\n"))


def test_too_few_columns_without_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ratings\.csv:1  the row has 2 columns"):
        Ratings(table(tmp_path, "1,2\n3,4\n"))


def test_ratings_are_grouped_by_user_or_by_item(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("userId,movieId,rating,timestamp\n5,70,3,0\n9,70,4,0\n5,60,2,0\n")
    source = Ratings(path)
    assert source.column("userId").tolist() == [0, 1, 0]
    assert source.column("movieId").tolist() == [1, 1, 0]
    with pytest.raises(ConfigError, match="not by 'patient'"):
        source.column("patient")


def test_all_wrong_rows_are_told_in_one_go(tmp_path: Path) -> None:
    path = table(tmp_path, "userId,movieId,rating\n1,2,3\n1,x,3\n1,2,3\n1,2\n1,2,nan\n")
    with pytest.raises(DataError) as caught:
        Ratings(path)
    assert [str(mistake.where).rpartition(":")[2] for mistake in caught.value.mistakes] == ["3", "5", "6"]


@pytest.mark.parametrize(("other", "lines"), [(7, ["2", "9"]), (0, ["2", "3"])])
def test_what_all_rows_have_is_told_once(tmp_path: Path, other: int, lines: list[str]) -> None:
    rows = ["ann,2,3"] * 300
    rows[other] = "bob,2"
    path = table(tmp_path, "\n".join(["userId,movieId,rating", *rows, ""]))
    with pytest.raises(DataError) as caught:
        Ratings(path)
    assert [str(mistake.where).rpartition(":")[2] for mistake in caught.value.mistakes] == lines


def test_of_more_wrong_rows_than_are_listed_the_first_are_told(tmp_path: Path) -> None:
    rows = ["1,2,3"] * 40_000
    rows[5::3] = ["1,2,x"] * len(rows[5::3])
    path = table(tmp_path, "\n".join(["userId,movieId,rating", *rows, ""]))
    with pytest.raises(DataError) as caught:
        Ratings(path)
    assert len(caught.value.mistakes) == MOST_LISTED
    path.write_text("userId,movieId,rating\n1,2,3\n" + "\n" * 300_000 + "1,2,3\n")
    with pytest.raises(DataError) as caught:
        Ratings(path)
    lines = [int(str(mistake.where).rpartition(":")[2]) for mistake in caught.value.mistakes]
    assert lines == list(range(3, 3 + MOST_LISTED))


def test_a_comma_in_quotes_is_no_delimiter_and_is_no_mistake_beside_one(tmp_path: Path) -> None:
    header = "userId,movieId,rating,title\n"
    assert len(Ratings(table(tmp_path, header + '1,2,3,"a, b"\n1,3,4,c\n'))) == 2
    with pytest.raises(DataError) as caught:
        Ratings(table(tmp_path, header + '1,2,3,"a, b"\n1,3,4,c,d\n'))
    assert [str(mistake.where).rpartition(":")[2] for mistake in caught.value.mistakes] == ["3"]


@pytest.mark.parametrize("cell", ["9" * 5000, "x" * 200_000])
def test_a_cell_that_is_far_too_long_is_told(tmp_path: Path, cell: str) -> None:
    with pytest.raises(DataError, match=r"ratings\.csv:3  the cell of column 'userId' is no whole number"):
        Ratings(table(tmp_path, f"userId,movieId,rating\n1,2,3\n{cell},2,3\n"))


def test_blank_lines_at_the_end_are_no_mistake_beside_one(tmp_path: Path) -> None:
    path = table(tmp_path, "userId,movieId,rating\n1,x,3\n\n1,2,3\n\n\n")
    with pytest.raises(DataError) as caught:
        Ratings(path)
    assert [str(mistake.where).rpartition(":")[2] for mistake in caught.value.mistakes] == ["2", "3"]
