from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.sequences.table import TableSequence
from seqtrain.sources.synthetic_sum import SyntheticSum
from seqtrain.sources.table import Table
from tests.sequences.building import build

ROWS = ["1,0,red,10,yes", "3,,,30,no", "5,4,blue,20,yes", "70,,green,90,no"]
TRAINING = np.array([0, 1, 2])


def table(folder: Path, rows: list[str] = ROWS, targets: dict[str, str] | None = None) -> Table:
    path = folder / "t.csv"
    path.write_text("\n".join(["a,b,color,price,sold", *rows, ""]))
    return Table(path, targets=targets or {"price": "number", "sold": "class"}, numeric=["a", "b"])


def validation(source: Table, **arguments: object) -> TableSequence:
    fitted_on = {"training_indices": TRAINING, **arguments}
    return build(TableSequence, source, np.arange(4), 4, 1, False, **fitted_on)


def test_numbers_are_scaled_filled_and_marked_and_categories_are_ids(tmp_path: Path) -> None:
    x, y = validation(table(tmp_path))[0]
    # a is 1, 3, 5: mean 3, deviation sqrt(8/3); b is 0 and 4: mean 2, deviation 2
    step = 2 / np.sqrt(8 / 3)
    expected = [[-step, -1, 0], [0, 0, 1], [step, 1, 0], [67 * step / 2, 0, 1]]
    np.testing.assert_allclose(x["numeric"], expected, rtol=1e-6)
    assert x["color"].tolist() == [3, 1, 2, 0]  # 0 unknown, 1 missing, 2 blue, 3 red
    np.testing.assert_allclose(y["price"], np.array([-10, 10, 0, 70]) / np.sqrt(200 / 3), rtol=1e-6)
    assert y["sold"].tolist() == [1, 0, 1, 0]


def test_the_spec_says_widths_vocabularies_and_classes(tmp_path: Path) -> None:
    x, y = validation(table(tmp_path)).spec
    assert (x["numeric"].shape, x["numeric"].dtype) == ((3,), "float32")
    assert (x["color"].shape, x["color"].dtype, x["color"].vocabulary_size) == ((), "int32", 4)
    assert (y["price"].dtype, y["price"].classes) == ("float32", None)
    assert (y["sold"].dtype, y["sold"].classes) == ("int32", ("no", "yes"))


def test_changing_validation_rows_changes_nothing_that_was_fitted(tmp_path: Path) -> None:
    before, after = validation(table(tmp_path)), validation(table(tmp_path, [*ROWS[:3], "-9,9e9,grey,1,yes"]))
    for name in ("scaling", "target_scaling", "vocabularies"):
        one, other = getattr(before, name), getattr(after, name)
        for left, right in [(one[key], other[key]) for key in one] if isinstance(one, dict) else [(one, other)]:
            if name == "vocabularies":
                assert left.names == right.names
            else:
                assert left.mean.tolist() == right.mean.tolist()
                assert left.std.tolist() == right.std.tolist()
                assert left.has_missing.tolist() == right.has_missing.tolist()
    x_before, x_after = before[0][0], after[0][0]
    assert all(np.array_equal(x_before[name][:3], x_after[name][:3]) for name in x_before)


def test_a_gap_in_validation_alone_is_filled_without_an_indicator(tmp_path: Path) -> None:
    source = table(tmp_path, ["1,0,red,10,yes", "3,2,red,30,no", "5,4,blue,20,yes", ",1,green,90,no"])
    x, _ = validation(source)[0]
    assert x["numeric"].shape == (4, 2)
    assert x["numeric"][3, 0] == 0


def test_rare_categories_are_unknown_and_targets_may_keep_their_unit(tmp_path: Path) -> None:
    sequence = validation(table(tmp_path), min_count=2, scale_targets=False)
    x, y = sequence[0]
    assert x["color"].tolist() == [0, 1, 0, 0]
    assert sequence.spec[0]["color"].vocabulary_size == 2
    assert y["price"].tolist() == [10, 30, 20, 90]


def test_a_single_target_is_an_array_and_a_table_of_one_kind_has_inputs_of_that_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("color,sold\nred,yes\nblue,no\n")
    sequence = build(
        TableSequence, Table(path, target="sold"), np.arange(2), 2, 1, False, training_indices=np.arange(2)
    )
    x, y = sequence[0]
    assert set(x) == {"color"}
    assert y.tolist() == [1, 0]
    assert sequence.num_classes == 2


def test_it_pickles_and_makes_the_same_batches(tmp_path: Path) -> None:
    sequence = validation(table(tmp_path))
    x, _ = pickle.loads(pickle.dumps(sequence))[0]
    assert all(np.array_equal(x[name], sequence[0][0][name]) for name in x)


def test_what_cannot_be_fitted_or_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the column 'b' has no value in the training part"):
        validation(table(tmp_path), training_indices=np.array([1, 3]))
    with pytest.raises(ConfigError, match="the sequence 'table' cannot read from a SyntheticSum"):
        build(TableSequence, SyntheticSum(4, seed=1), np.arange(4), 2, 1, True, training_indices=np.arange(4))
    path = tmp_path / "named.csv"
    path.write_text("numeric,y\nred,1.5\nblue,2\n")
    with pytest.raises(ConfigError, match="cannot be called 'numeric'"):
        validation(Table(path, target="y", categorical=["numeric"]), training_indices=np.arange(2))


def test_a_slash_which_keras_allows_in_no_input_becomes_an_underscore(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("city/part,y/m2\nred,1.5\nblue,2\n")
    x, y = build(TableSequence, Table(path, target="y/m2"), np.arange(2), 2, 1, False, training_indices=np.arange(2))[0]
    assert x["city_part"].tolist() == [3, 2]
    assert y.tolist() == [-1, 1]
    path.write_text("a/b,a_b,y\nred,x,1.5\nblue,x,2\n")
    with pytest.raises(ConfigError, match="another input goes by 'a_b'"):
        build(TableSequence, Table(path, target="y"), np.arange(2), 2, 1, False, training_indices=np.arange(2))
