import numpy as np

from seqtrain.reports.batch_table import table
from seqtrain.reports.fields import fields_of
from seqtrain.structure import FieldSpec


def test_a_table_shows_the_first_rows_of_every_field():
    batch = (
        {"user": np.array([3, 14]), "item": np.array([159, 26])},
        np.array([3.5, 4.0], dtype=np.float32),
    )
    assert table(fields_of(batch), sample_ids=[5, 8]).splitlines() == [
        "sample  x.user  x.item  y",
        "------  ------  ------  ---",
        "5       3       159     3.5",
        "8       14      26      4",
    ]


def test_a_table_shortens_long_vectors_and_many_rows():
    text = table(fields_of((np.arange(200).reshape(20, 10), np.array(list("abcdefghijklmnopqrst")))), num_rows=2)
    assert text.splitlines()[2:] == [
        "0    [0, 1, 2, 3, 4, 5, … 10 in all]        a",
        "1    [10, 11, 12, 13, 14, 15, … 10 in all]  b",
    ]


def test_a_table_names_categories_classes_and_the_columns_of_numbers():
    batch = (
        {"numeric": np.array([[0.5, -1], [2, 0]], np.float32), "city": np.array([2, 0], np.int32)},
        np.array([1, 0], np.int32),
    )
    numeric = FieldSpec((2,), "float32", columns=("rooms", "area"))
    city = FieldSpec((), "int32", vocabulary_size=3, classes=("(unknown)", "(empty)", "Bern"))
    spec = ({"numeric": numeric, "city": city}, FieldSpec((), "int32", classes=("flat", "house")))
    assert table(fields_of(batch, spec)).splitlines() == [
        "row  rooms  area  x.city     y",
        "---  -----  ----  ---------  -----",
        "0    0.5    -1    Bern       house",
        "1    2      0     (unknown)  flat",
    ]


def test_rows_come_in_the_order_that_is_asked_for_with_more_words_beside_them():
    batch = (np.array([0.5, 1.5, 2.5]),)
    words = {"predicted": ["good", "bad", "worse"]}
    assert table(fields_of(batch), [7, 8, 9], num_rows=2, order=[2, 1, 0], beside=words).splitlines() == [
        "sample  x    predicted",
        "------  ---  ---------",
        "9       2.5  worse",
        "8       1.5  bad",
    ]


def test_columns_of_one_name_are_all_shown():
    numeric = FieldSpec((2,), "float32", columns=("x", "y"))
    batch = (np.array([[0.5, -1]], np.float32), np.array([7], np.int32))
    text = table(fields_of(batch, (numeric, FieldSpec((), "int32"))))
    assert text.splitlines() == ["row  x    y   y", "---  ---  --  -", "0    0.5  -1  7"]


def test_a_table_of_nothing_has_a_header_alone():
    assert table(fields_of((np.zeros((0, 2)),))).splitlines() == ["row  x", "---  -"]


def test_of_many_columns_one_holds_all():
    columns = tuple(f"c{number}" for number in range(13))
    text = table(fields_of((np.zeros((1, 13), np.float32),), (FieldSpec((13,), "float32", columns=columns),)))
    assert text.splitlines()[0].split() == ["row", "x"]
