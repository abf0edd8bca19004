"""Kill -9 and a failing disk at calls the spool makes on its files; `make powerloss` takes every one of them."""

from pathlib import Path

import pytest

from tests.powerloss.__main__ import INJURIES
from tests.powerloss.injury import list_broken


@pytest.mark.parametrize(("calls", "act"), INJURIES, ids=[" ".join(each) for each in INJURIES])
def test_an_errand_that_is_killed_or_refused_once_breaks_no_promise_and_doubles_nothing(
    memory: Path, calls: str, act: str
) -> None:
    errands, broken = list_broken(memory, calls, act, step=3)
    assert broken == []
    assert errands >= 2
