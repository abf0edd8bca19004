"""An office with two townships, to keep an archive in."""

import pytest

from tests.clocks import ManualClock
from tests.office import Office, open_office

PLAN = {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]}


@pytest.fixture
def office(sqlite_url: str, clock: ManualClock) -> Office:
    return open_office(sqlite_url, PLAN, clock)
