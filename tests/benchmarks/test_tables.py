"""The benchmark of tables runs, and measures what it says."""

import json
from pathlib import Path

from tests.benchmarks.tables import KINDS, main


def test_every_kind_of_table_is_read_beside_code_by_hand(capsys):
    main(["--rows", "200", "--rounds", "1", "--json"])
    measured = json.loads(capsys.readouterr().out)
    assert [(each["kind"], each["rows"]) for each in measured] == [
        (name, 200 * kind.rows) for name, kind in KINDS.items()
    ]
    assert all(each["ratio"] > 0 for each in measured)


def test_a_checkout_may_be_the_peer(capsys):
    main(["--rows", "200", "--rounds", "1", "--only", "ratings", "--json", "--against", str(Path(__file__).parents[2])])
    assert json.loads(capsys.readouterr().out)[0]["ratio"] > 0
