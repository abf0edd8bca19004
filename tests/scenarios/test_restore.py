"""A month-old backup is restored; the stations fill it again by themselves (guarantee G6)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from agent.probes.base import Fact
from collector.intake.models import events
from collector.recovery import backup, restore
from tests.scenarios.harness import District

MONTHS = ("2026-09", "2026-10")
TITLES = ("宝轮镇 爱国社区", "大石镇 红岩村")


@pytest.fixture
def district(tmp_path: Path, database_url: str) -> Iterator[District]:
    """Two stations, on both databases."""
    made = District(tmp_path, database_url, {"宝轮镇": ["爱国社区"], "大石镇": ["红岩村"]})
    yield made
    made.close()


def lives(district: District, *, days: int) -> None:
    """Days on which each station plays a film and notes something."""
    for day in range(days):
        for title in TITLES:
            district.station(title).records(Fact("note", {"text": f"{title} {day}"}))
        district.station(TITLES[day % 2]).plays("油橄榄丰产栽培 第1讲", minutes=3 + day % 3, sha256=f"{day:02d}" * 32)
        district.passes(hours=23, step_s=23 * 1800)


def stored(district: District) -> dict[tuple[int, str, int], tuple[Any, ...]]:
    """Every event at the centre: its identity, and all of it that must not change."""

    async def load() -> dict[tuple[int, str, int], tuple[Any, ...]]:
        async with district.centre.database.read() as connection:
            rows = (await connection.execute(select(events))).all()
        found = {(row.station_id, row.stream, row.seq): (row.line, row.month, row.booked_ms) for row in rows}
        assert len(found) == len(rows)
        return found

    return district.run(load())


def report(district: District) -> list[Any]:
    """What the office would read: every station's figures and films, month by month."""
    rows = [row for month in MONTHS for row in district.monthly_report(month).rows]
    return [(row.station_id, row.figures, row.played_names) for row in rows]


def restores(district: District, file: Path, keys: Path) -> None:
    """Stop, restore, start, and give the stations an hour."""
    district.stops()
    district.run(restore(str(district.centre.settings.database), file, keys=keys))
    district.starts()


def test_a_thirty_day_old_backup_is_filled_again_and_the_reports_are_the_same(
    district: District, tmp_path: Path
) -> None:
    lives(district, days=3)
    url, folder = district.centre.settings.database, tmp_path / "backups"
    made = district.run(backup(url, folder, keys=tmp_path / "tls", keep=3))
    backed_up = stored(district)
    lives(district, days=30)
    district.passes(minutes=10)
    events_before, report_before = stored(district), report(district)
    assert len(events_before) > len(backed_up) + 100

    restores(district, folder / made.file, tmp_path / "tls")
    assert stored(district) == backed_up
    district.passes(hours=1, step_s=120)

    events_after = stored(district)
    assert {key: events_after[key] for key in events_before} == events_before
    assert report(district) == report_before


def test_a_station_that_was_dark_when_the_centre_was_restored_is_filled_when_it_returns(
    district: District, tmp_path: Path
) -> None:
    url, folder = district.centre.settings.database, tmp_path / "backups"
    lives(district, days=1)
    made = district.run(backup(url, folder, keys=tmp_path / "tls", keep=3))
    lives(district, days=4)
    events_before = stored(district)
    district.station(TITLES[0]).loses_network()
    restores(district, folder / made.file, tmp_path / "tls")
    lives(district, days=2)
    district.station(TITLES[0]).regains_network()
    district.passes(hours=1, step_s=120)
    events_after = stored(district)
    assert {key: events_after[key] for key in events_before} == events_before
