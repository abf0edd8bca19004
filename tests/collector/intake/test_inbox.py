"""Bundles brought to a centre that is running and alone may write its database."""

import asyncio
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from collector.db.engine import Database
from collector.db.sqlite_file import held_alone
from collector.errors import InUseError
from collector.intake.inbox import inbox_of
from collector.seal import load_seal, make_key
from collector.settings import Settings
from collector.setup import import_bundles
from collector.stations import queries as stations
from shared import signing
from shared.bundle import METHOD, BadBundle, Receipt, check_receipt, write_parts
from shared.wire.v1 import PATH
from tests.collector.intake.pushes import envelope, event, packed
from tests.collector.test_processes import COLLECTOR, ask, finished, lock_of, started, wait_for
from tests.districts import LIZHOU, plant_district

STATION = f"{LIZHOU}/1"
KEY = SigningKey(bytes(range(32)))


@pytest.fixture
def bundle(sqlite_url: str, tmp_path: Path) -> Path:
    """Three lines of an enrolled station, carried to a centre that has a key."""
    asyncio.run(plant(sqlite_url))
    make_key(tmp_path / "tls")
    body = packed(envelope(STATION), *(event(seq) for seq in (1, 2, 3)))
    header = signing.authorization(KEY, method=METHOD, path=PATH, station=STATION, body=body)
    path = tmp_path / "stick" / "village.bundle"
    path.parent.mkdir()
    with path.open("wb") as file:
        write_parts(file, [(header, body)])
    return path


async def plant(url: str) -> None:
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    public = bytes(KEY.verify_key)
    async with database.write() as connection:
        await stations.add_key(connection, LIZHOU, 1, key_id=signing.key_id(public), public_key=public, now_ms=1)
    await database.close()


def left_in(url: str) -> list[Path]:
    folder = inbox_of(url)
    return sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []


def test_a_running_centre_takes_in_the_bundle_it_is_handed_and_signs_the_receipt(
    sqlite_url: str, bundle: Path, tmp_path: Path
) -> None:
    with started(*COLLECTOR, "serve", url=sqlite_url):
        wait_for(lambda: "进程号" in lock_of(sqlite_url))
        results = [finished(*COLLECTOR, "import-bundle", str(bundle), url=sqlite_url) for _ in range(2)]
    receipt = Receipt.model_validate_json(bundle.with_suffix(".receipt").read_bytes())
    seal = load_seal(tmp_path / "tls")

    assert results == [(0, ""), (0, "")]
    assert ask(sqlite_url, "SELECT seq FROM events ORDER BY seq") == [(1,), (2,), (3,)]
    assert [each.stored for each in receipt.streams] == [3]
    assert seal is not None
    check_receipt(receipt, bytes.fromhex(seal.public_key))
    assert left_in(sqlite_url) == []


def test_a_spoilt_bundle_handed_in_is_answered_with_its_sentence(sqlite_url: str, bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-1])
    with started(*COLLECTOR, "serve", url=sqlite_url):
        wait_for(lambda: "进程号" in lock_of(sqlite_url))
        status, _ = finished(*COLLECTOR, "import-bundle", str(bundle), url=sqlite_url)

    assert status == 2
    assert not bundle.with_suffix(".receipt").exists()
    assert left_in(sqlite_url) == []


def test_where_nobody_takes_it_in_it_is_said_who_has_the_database_and_nothing_is_left(
    sqlite_url: str, bundle: Path
) -> None:
    said: list[str] = []
    with held_alone(sqlite_url), pytest.raises(InUseError, match="进程号"):
        asyncio.run(import_bundles(Settings(database=sqlite_url), files=[bundle], tell=said.append, wait_s=0.3))

    assert said == []
    assert bundle.exists()
    assert left_in(sqlite_url) == []


def test_the_command_itself_signs_where_no_centre_is_running(sqlite_url: str, bundle: Path, tmp_path: Path) -> None:
    assert asyncio.run(import_bundles(Settings(database=sqlite_url), files=[bundle], tell=lambda _: None))
    receipt = Receipt.model_validate_json(bundle.with_suffix(".receipt").read_bytes())
    seal = load_seal(tmp_path / "tls")

    assert seal is not None
    check_receipt(receipt, bytes.fromhex(seal.public_key))


@pytest.mark.parametrize("change", [{"signature": ""}, {"signature": "00" * 64}, {"signature": "no"}, {"time": 5}])
def test_a_receipt_the_centre_did_not_give_is_refused(sqlite_url: str, bundle: Path, change: dict[str, object]) -> None:
    asyncio.run(import_bundles(Settings(database=sqlite_url), files=[bundle], tell=lambda _: None))
    receipt = Receipt.model_validate_json(bundle.with_suffix(".receipt").read_bytes())
    seal = load_seal(bundle.parent.parent / "tls")

    assert seal is not None
    with pytest.raises(BadBundle, match="没有中心的签名"):
        check_receipt(receipt.model_copy(update=change), bytes.fromhex(seal.public_key))
