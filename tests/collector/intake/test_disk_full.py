"""The centre's disk is really full: a small tmpfs of this test's own. Needs root to mount it."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import func, select
from starlette.testclient import TestClient

from collector.app import create_app
from collector.db.engine import Database
from collector.db.sqlite_file import check_pages
from collector.intake.models import events
from collector.settings import Settings
from collector.stations import queries as stations
from shared import chain
from shared.signing import key_id
from shared.wire.v1 import PATH
from tests.clocks import ManualClock
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.districts import LIZHOU, plant_district

STATION = f"{LIZHOU}/1"
TEXT = "远" * 3000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """6 MiB in all."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


class Station:
    """Pushes one event of 9 KB after another, as an agent does: from what the centre last said."""

    def __init__(self, client: TestClient, key: SigningKey) -> None:
        self.client, self.key = client, key
        self.stored, self.mono = 0, 1000
        self.heads = [chain.START]

    def push(self) -> Any:
        line = event(self.stored + 1, text=TEXT + str(self.stored))
        self.mono += 1000
        head = self.heads[self.stored]
        body = packed(envelope(STATION, first=self.stored + 1, head=head, heartbeat={"mono": self.mono}), line)
        answer = self.client.post(PATH, content=body, headers=signed(self.key, STATION, body))
        if answer.status_code == 200:
            self.stored = answer.json()["stored"]
            self.heads.append(chain.extend(head, line))
        return answer

    def push_until_refused(self) -> Any:
        for _ in range(2000):
            answer = self.push()
            if answer.status_code != 200:
                return answer
        return pytest.fail("the disk never became full")


def plant(url: str, key: SigningKey) -> None:
    async def act() -> None:
        database = Database(url)
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        public = bytes(key.verify_key)
        async with database.write() as connection:
            await stations.add_key(connection, LIZHOU, 1, key_id=key_id(public), public_key=public, now_ms=1)
        await database.close()

    asyncio.run(act())


def count_events(url: str) -> int:
    async def load() -> int:
        database = Database(url)
        async with database.read() as connection:
            value = (await connection.execute(select(func.count()).select_from(events))).scalar_one()
        await database.close()
        return int(value)

    return asyncio.run(load())


def test_a_full_disk_refuses_politely_corrupts_nothing_and_heals_by_itself(
    small_disk: Path, sqlite_template: Path, clock: ManualClock
) -> None:
    path = small_disk / "centre.db"
    shutil.copy(sqlite_template, path)
    url, key = f"sqlite+aiosqlite:///{path}", SigningKey.generate()
    plant(url, key)
    other = small_disk / "other.bin"
    other.write_bytes(bytes(1 << 20))
    app = create_app(Settings(database=url, free_floor_mib=1), clock=clock, with_jobs=False)
    with TestClient(app, base_url="http://centre.test") as client:
        station = Station(client, key)
        refused = station.push_until_refused()
        acknowledged = station.stored
        again = [station.push().status_code for _ in range(5)]
        ready = client.get("/readyz")
        alive = client.get("/healthz")
        other.unlink()
        healed = [station.push().status_code for _ in range(5)]
    assert refused.status_code in {503, 507}
    assert int(refused.headers["Retry-After"]) > 0
    assert acknowledged > 20
    assert set(again) <= {503, 507}
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert "MiB free" in ready.json()["reasons"][0]
    assert healed == [200] * 5
    assert count_events(url) == acknowledged + 5
    check_pages(path)


def test_a_centre_killed_on_a_full_disk_has_all_it_acknowledged(
    small_disk: Path, sqlite_template: Path, clock: ManualClock
) -> None:
    path = small_disk / "centre.db"
    shutil.copy(sqlite_template, path)
    url, key = f"sqlite+aiosqlite:///{path}", SigningKey.generate()
    plant(url, key)
    app = create_app(Settings(database=url), clock=clock, with_jobs=False)
    with TestClient(app, base_url="http://centre.test") as client:
        station = Station(client, key)
        station.push_until_refused()
        acknowledged = station.stored
        # What a killed process leaves: the file and its WAL as they are now, without the checkpoint of a good end.
        killed = small_disk.parent / "killed"
        killed.mkdir()
        for each in (path, path.with_name("centre.db-wal")):
            shutil.copy(each, killed / each.name)
    assert (killed / "centre.db-wal").stat().st_size > 0
    check_pages(killed / "centre.db")
    assert count_events(f"sqlite+aiosqlite:///{killed}/centre.db") == acknowledged
