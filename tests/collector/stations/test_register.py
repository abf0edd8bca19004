"""What stations are called when they are made from a register."""

import pytest

from collector.stations.register import name_site


@pytest.mark.parametrize(
    ("area", "site"),
    [
        ("东坝街道", "街道站点"),
        ("嘉陵街道办事处", "街道站点"),
        ("宝轮镇", "镇级站点"),
        ("白朝乡", "乡级站点"),
    ],
)
def test_the_own_station_of_an_area_is_called_after_its_kind(area: str, site: str) -> None:
    assert name_site(area) == site
