"""An office whose director can sign in with a password."""

import pytest

from tests.clocks import ManualClock
from tests.office import Office, open_office, set_password, write

PLAN = {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]}


@pytest.fixture
def office(database_url: str, clock: ManualClock) -> Office:
    opened = open_office(database_url, PLAN, clock)
    write(database_url, lambda connection: set_password(connection, opened.district, "主任", "zhuren"))
    return opened
