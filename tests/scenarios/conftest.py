from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.harness import District

PLAN = {"宝轮镇": ["爱国社区", "红星村", "红岩村"], "大石镇": ["红岩村", "杨柳村"]}


@pytest.fixture
def district(tmp_path: Path, database_url: str) -> Iterator[District]:
    """Two townships, five stations, on both databases."""
    made = District(tmp_path, database_url, PLAN)
    yield made
    made.close()
