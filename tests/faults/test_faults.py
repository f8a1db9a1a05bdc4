import pytest

from tests.faults.__main__ import FAULTS
from tests.faults.lab import Lab

_SAMPLED = [
    "killed at random instants",
    "killed at each step of a save",
    "killed at moments of an epoch",
    "signals and --max-time",
    "a full disk",
    "corrupt checkpoints",
    "NaN in the data",
]


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("few"), kills=3, sample=True)


@pytest.fixture(scope="module")
def all_of_them(request, tmp_path_factory):
    if "slow" not in request.config.getoption("markexpr"):
        pytest.skip("half an hour: asked for with `pytest -m slow tests/faults`")
    return Lab(tmp_path_factory.mktemp("all"))


@pytest.mark.parametrize("name", _SAMPLED)
def test_a_few_of_each_fault_lose_nothing(name, few):
    tally = FAULTS[name](few)
    assert tally.lost == []
    assert tally.injected == tally.survived > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_loses_anything(name, all_of_them):
    tally = FAULTS[name](all_of_them)
    assert tally.lost == []
    assert tally.injected == tally.survived > 0
