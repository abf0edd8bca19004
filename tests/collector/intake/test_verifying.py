"""Whoever changes stored history is found by the stations' own signatures. On both databases."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import text

from collector.__main__ import main
from collector.db.engine import Database
from collector.intake.service import Received, store
from collector.intake.unpacking import Push
from collector.intake.verifying import Checked, Verdict, verify_history
from collector.stations import queries as stations
from shared import chain, tags
from shared.signing import key_id
from shared.wire.v1 import Envelope
from tests.collector.intake.pushes import STREAM, envelope, event
from tests.districts import LIZHOU, NOW_MS, plant_district

ONE = f"{LIZHOU}/1"
GAP = event(4, "spool.gap", first=4, last=6, counts={"device.sampled": 3}, head="ab" * 32)
LINES = [event(1), event(2, "poison"), event(3), GAP, event(7), event(8), event(9), event(10)]
PLEDGED = 9
KEY = SigningKey(bytes(range(32)))


def head_at(seq: int) -> bytes:
    head = bytes.fromhex("ab" * 32)
    return chain.extend_all(head, [event(each) for each in range(7, seq + 1)])


async def live(
    url: str, tamper: str, *, before: int, line: bytes = b"", key: SigningKey = KEY, pledges: bool = True
) -> Checked:
    """A station pushes ten lines, pledges nine of them, and then somebody at the centre changes what is stored."""
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    public = bytes(KEY.verify_key)
    name = key_id(public)
    says = {"station": ONE, "stream": STREAM, "seq": PLEDGED, "head": head_at(PLEDGED).hex()}
    pledge: dict[str, Any] = {"seq": PLEDGED, "head": says["head"], "signature": tags.pledge(key, **says)}  # type: ignore[arg-type]
    async with database.write() as connection:
        await stations.add_key(connection, LIZHOU, 1, key_id=name, public_key=public, now_ms=1)
        heads = (
            envelope(ONE, pledge=pledge if pledges else None),
            envelope(ONE, first=10, head=head_at(9), heartbeat={"mono": 2000}),
        )
        for head, lines in zip(heads, (LINES[:-1], LINES[-1:]), strict=True):
            push = Push(Envelope.model_validate_json(head), tuple(lines))
            (answer,) = await store(
                connection, [Received((LIZHOU, 1), name, push, NOW_MS, is_signed=False)], now_ms=NOW_MS
            )
        assert answer.stored == 10  # type: ignore[union-attr]
        if tamper:
            await connection.execute(text(tamper), {"line": line} if line else {})
    (found,) = await verify_history(database, LIZHOU, station_id=None, before=before)
    await database.close()
    return found


@pytest.fixture
def check(database_url: str) -> Callable[..., Checked]:
    def work(tamper: str = "", *, before: int = 202507, **more: Any) -> Checked:
        return asyncio.run(live(database_url, tamper, before=before, **more))

    return work


TAMPERING = {
    "the kind of an event": ("UPDATE events SET kind = 'note2' WHERE seq = 3", Verdict.DIFFERS, 3),
    "the time of an event": ("UPDATE events SET at_ms = at_ms + 1 WHERE seq = 8", Verdict.DIFFERS, 8),
    "two lines change places": (
        "UPDATE events SET line = (SELECT e.line FROM events e WHERE e.seq = 1) WHERE seq = 3",
        Verdict.DIFFERS,
        3,
    ),
    "a line is taken out": ("DELETE FROM events WHERE seq = 8", Verdict.MISSING, 8),
    "the last line is taken out": ("DELETE FROM events WHERE seq = 10", Verdict.MISSING, 10),
    "the pledge is moved": ("UPDATE pledges SET seq = 8", Verdict.FORGED, 0),
    "all lines are taken out": ("DELETE FROM events", Verdict.REMOVED, 1),
}


def test_a_history_nobody_has_touched_is_right(check: Callable[..., Checked]) -> None:
    assert check() == Checked(ONE, STREAM, Verdict.RIGHT, stored=10, pledged=9, declared=3)


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_found(what: str, check: Callable[..., Checked]) -> None:
    tamper, verdict, first = TAMPERING[what]
    found = check(tamper)
    assert (found.verdict, found.first) == (verdict, first)


@pytest.mark.parametrize(("seq", "first"), [(8, 7), (10, 10)])
def test_a_line_written_anew_is_found_though_all_its_columns_fit(
    seq: int, first: int, check: Callable[..., Checked]
) -> None:
    """The chain tells where the part begins that cannot be right: behind the last gap, or behind the pledge."""
    line = event(seq).replace(b'"mono":500', b'"mono":501')
    found = check(f"UPDATE events SET line = :line WHERE seq = {seq}", line=line)
    assert (found.verdict, found.first) == (Verdict.DIFFERS, first)


def test_a_pledge_of_another_key_is_told(check: Callable[..., Checked]) -> None:
    assert check(key=SigningKey.generate()).verdict is Verdict.FORGED


def test_without_a_pledge_only_the_own_chain_speaks(check: Callable[..., Checked]) -> None:
    assert check(pledges=False).verdict is Verdict.UNPLEDGED


def test_what_is_gone_by_its_age_accuses_nobody(check: Callable[..., Checked]) -> None:
    """Behind a gap the chain is known again, so what follows is still proven."""
    assert check("DELETE FROM events WHERE seq <= 3", before=202609).verdict is Verdict.RIGHT


def test_where_the_past_is_gone_up_to_the_pledge_nothing_can_be_told(check: Callable[..., Checked]) -> None:
    found = check("DELETE FROM events WHERE seq <= 7", before=202609)
    assert (found.verdict, found.first) == (Verdict.REMOVED, 1)


def test_a_command_says_so(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YUANJIAO_DATABASE", sqlite_url)
    asyncio.run(live(sqlite_url, "DELETE FROM events WHERE seq = 8", before=202507))
    status = main(["verify-history", "--station", ONE])
    printed = capsys.readouterr()
    assert status == 1
    assert printed.out.splitlines() == [
        "station,stream,verdict,first,pledged,stored,declared",
        f"{ONE},{STREAM},missing,8,9,10,3",
    ]
    assert "1 段与站点的签名不符或有缺失" in printed.err
