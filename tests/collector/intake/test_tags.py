"""Pushes that carry a tag in place of a signature, and the pledges that make up for it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import select
from starlette.testclient import TestClient

from collector.app import create_app
from collector.intake import keyring, pledge_queries, pledging
from collector.intake.models import pledges, security_events, streams
from collector.seal import load_seal, make_key
from collector.settings import Settings
from collector.stations import queries as stations
from shared import chain, tags
from shared.signing import key_id
from shared.wire.directions import SETTINGS_PATH
from shared.wire.v1 import PATH, ROTATE_PATH
from tests.clocks import ManualClock
from tests.collector.intake.pushes import STREAM, envelope, event, packed, signed
from tests.districts import LIZHOU, plant_district, plant_keys

ONE, TWO = f"{LIZHOU}/1", f"{LIZHOU}/2"
LINES = [event(seq) for seq in range(1, 9)]
HEADS = [chain.extend_all(chain.START, LINES[:count]).hex() for count in range(9)]


@dataclass(slots=True)
class Bench:
    """A centre with a key of its own and two stations."""

    client: TestClient
    keys: dict[str, SigningKey]
    clock: ManualClock
    centre_key: bytes
    mono: int = 1000

    def tagged(self, station: str, body: bytes, *, path: str = PATH, **change: Any) -> dict[str, str]:
        key = change.get("key", self.keys[station])
        secret = tags.station_secret(key, change.get("centre_key", self.centre_key))
        name = key_id(bytes(self.keys[station].verify_key))
        header = tags.authorization(secret, key_id=name, method="POST", path=path, station=station, body=body)
        return {"Authorization": header}

    def body(self, first: int, last: int, station: str = ONE, **more: Any) -> bytes:
        self.mono += 1
        head = bytes.fromhex(HEADS[first - 1])
        heartbeat = {"mono": self.mono}
        return packed(envelope(station, first=first, head=head, heartbeat=heartbeat, **more), *LINES[first - 1 : last])

    def pledge(self, seq: int, **change: Any) -> dict[str, Any]:
        facts: dict[str, Any] = {"station": ONE, "stream": STREAM, "seq": seq, "head": HEADS[seq]}
        signature = tags.pledge(change.pop("key", self.keys[ONE]), **(facts | change))
        return {"pledge": {"seq": seq, "head": change.get("head", HEADS[seq]), "signature": signature}}

    def push(self, body: bytes, headers: dict[str, str] | None = None) -> Any:
        return self.client.post(PATH, content=body, headers=headers or self.tagged(ONE, body))

    def run(self, work: Any) -> Any:
        return self.client.portal.call(work)  # type: ignore[union-attr]

    def check(self) -> tuple[int, int]:
        """What the periodic job does: how many pledges it checked, how many streams it missed one of."""
        database = self.client.app.state.centre.database  # type: ignore[attr-defined]

        async def work() -> tuple[int, int]:
            now_ms = self.clock.now().wall_ms
            checked = await pledging.check_pledges(database, now_ms=now_ms)
            return checked, await pledging.tell_unproven(database, now_ms=now_ms)

        return self.run(work)  # type: ignore[no-any-return]

    def read(self, *columns: Any) -> list[tuple[Any, ...]]:
        database = self.client.app.state.centre.database  # type: ignore[attr-defined]

        async def work() -> list[tuple[Any, ...]]:
            async with database.read() as connection:
                return [tuple(row) for row in await connection.execute(select(*columns))]

        return self.run(work)  # type: ignore[no-any-return]


def _open(database_url: str, folder: Path, clock: ManualClock, *, with_key: bool) -> Iterator[Bench]:
    keys = {ONE: SigningKey.generate(), TWO: SigningKey.generate()}
    if with_key:
        make_key(folder)
    app = create_app(Settings(database=database_url, tls_dir=folder), clock=clock, with_jobs=False)
    database, seal = app.state.centre.database, load_seal(folder)

    async def plant() -> None:
        await plant_district(database, {"宝轮镇": ["爱国社区", "红星村"]})
        await plant_keys(database, keys.values())

    with TestClient(app, base_url="http://centre.test") as client:
        client.portal.call(plant)  # type: ignore[union-attr]
        public = bytes.fromhex(seal.public_key) if seal else bytes(SigningKey.generate().verify_key)
        yield Bench(client, keys, clock, public)


@pytest.fixture
def bench(database_url: str, tmp_path: Path, clock: ManualClock) -> Iterator[Bench]:
    yield from _open(database_url, tmp_path / "tls", clock, with_key=True)


@pytest.fixture
def keyless(database_url: str, tmp_path: Path, clock: ManualClock) -> Iterator[Bench]:
    """A centre that has no key of its own."""
    yield from _open(database_url, tmp_path / "tls", clock, with_key=False)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


REFUSED = (401, "/problems/bad-signature")


def test_tags_and_signatures_are_taken_side_by_side(bench: Bench) -> None:
    stored = [bench.push(bench.body(1, 2)).json()["stored"]]
    body = bench.body(3, 4)
    stored.append(bench.push(body, signed(bench.keys[ONE], ONE, body)).json()["stored"])
    stored.append(bench.push(bench.body(5, 6)).json()["stored"])
    assert stored == [2, 4, 6]


def test_a_tag_over_other_bytes_is_refused(bench: Bench) -> None:
    bench.push(bench.body(1, 1))
    assert problem(bench.push(bench.body(2, 3), bench.tagged(ONE, bench.body(2, 2)))) == REFUSED


def test_another_stations_tag_is_refused(bench: Bench) -> None:
    """Under its own key's name it is unknown here; under the name of the right key it does not fit."""
    body = bench.body(1, 1)
    assert problem(bench.push(body, bench.tagged(ONE, body, key=bench.keys[TWO]))) == REFUSED
    other = key_id(bytes(bench.keys[TWO].verify_key))
    mine = key_id(bytes(bench.keys[ONE].verify_key))
    header = bench.tagged(ONE, body)["Authorization"].replace(mine, other)
    assert problem(bench.push(body, {"Authorization": header})) == (401, "/problems/unknown-key")


def test_a_push_rightly_tagged_does_not_speak_for_another_station(bench: Bench) -> None:
    body = bench.body(1, 1, TWO)
    assert problem(bench.push(body, bench.tagged(ONE, body))) == (403, "/problems/wrong-station")


def test_a_tag_made_for_another_centre_is_refused(bench: Bench) -> None:
    """A push that was captured at one centre is worth nothing at another that knows the same station key."""
    body = bench.body(1, 1)
    elsewhere = bytes(SigningKey.generate().verify_key)
    assert problem(bench.push(body, bench.tagged(ONE, body, centre_key=elsewhere))) == REFUSED


def test_a_revoked_key_ends_at_the_next_push_though_its_secret_is_kept(bench: Bench) -> None:
    assert bench.push(bench.body(1, 1)).status_code == 200
    centre = bench.client.app.state.centre  # type: ignore[attr-defined]

    async def revoke() -> None:
        async with centre.database.write() as connection:
            await stations.revoke_key(connection, LIZHOU, 1, now_ms=centre.now_ms)

    bench.run(revoke)
    assert problem(bench.push(bench.body(2, 2))) == (401, "/problems/key-revoked")


@pytest.mark.parametrize("path", [ROTATE_PATH, SETTINGS_PATH, "/api/v1/enrol"])
def test_a_tag_opens_no_other_door(bench: Bench, path: str) -> None:
    body = b'{"public_key":"' + b"ab" * 32 + b'","proof":"' + b"cd" * 64 + b'"}'
    headers = bench.tagged(ONE, body, path=path) | {"Content-Type": "application/json"}
    method = "GET" if path == SETTINGS_PATH else "POST"
    assert bench.client.request(method, path, content=body, headers=headers).status_code in {401, 422}


def test_a_centre_without_a_key_asks_for_a_signature(keyless: Bench) -> None:
    body = keyless.body(1, 1)
    assert problem(keyless.push(body)) == REFUSED
    assert keyless.push(body, signed(keyless.keys[ONE], ONE, body)).status_code == 200


def test_the_keyring_stays_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "MAX_KEPT", 1)
    ring = keyring.Keyring(bench.client.app.state.centre)  # type: ignore[attr-defined]

    async def work() -> int:
        for station in (ONE, TWO, ONE):
            await ring.check(bench.tagged(station, b"x")["Authorization"], b"x")
        return len(ring._held)

    assert bench.run(work) == 1


def test_a_pledge_is_kept_checked_and_right(bench: Bench) -> None:
    bench.push(bench.body(1, 2))
    assert bench.read(streams.c.unproven_ms) == [(bench.clock.now().wall_ms,)]
    bench.push(bench.body(3, 4, **bench.pledge(4)))
    assert bench.read(streams.c.unproven_ms) == [(None,)]
    assert bench.read(pledges.c.seq, pledges.c.right) == [(4, None)]
    assert bench.check() == (1, 0)
    assert bench.check() == (0, 0)
    assert bench.read(pledges.c.seq, pledges.c.right) == [(4, True)]
    assert bench.read(security_events.c.kind) == []


def test_a_pledge_may_follow_its_lines(bench: Bench) -> None:
    bench.push(bench.body(1, 2))
    bench.push(bench.body(3, 2, **bench.pledge(2)))
    assert bench.read(streams.c.unproven_ms) == [(None,)]


def test_a_signed_push_proves_what_came_before_it(bench: Bench) -> None:
    bench.push(bench.body(1, 2))
    body = bench.body(3, 4)
    bench.push(body, signed(bench.keys[ONE], ONE, body))
    assert bench.read(streams.c.unproven_ms) == [(None,)]


@pytest.mark.parametrize("change", [{"stream": "6" * 32}, {"station": TWO}, {"key": SigningKey.generate()}])
def test_a_pledge_that_the_station_did_not_make_for_this_chain_is_evidence(
    bench: Bench, change: dict[str, Any]
) -> None:
    """Made by another, for another stream or another station: whoever can forge tags cannot forge this."""
    assert bench.push(bench.body(1, 2, **bench.pledge(2, **change))).status_code == 200
    assert bench.check() == (1, 0)
    assert bench.read(pledges.c.right) == [(False,)]
    assert bench.read(security_events.c.kind) == [("pledge-forged",)]


def test_a_pledge_for_another_history_is_evidence_at_once(bench: Bench) -> None:
    bench.push(bench.body(1, 2, **bench.pledge(2, head=HEADS[1])))
    assert bench.read(pledges.c.seq) == []
    assert bench.read(security_events.c.kind) == [("pledge-differs",)]
    assert bench.read(streams.c.unproven_ms) != [(None,)]


def test_a_pledge_for_where_the_centre_does_not_stand_says_nothing(bench: Bench) -> None:
    bench.push(bench.body(1, 4))
    bench.push(bench.body(1, 2, **bench.pledge(2)))
    assert bench.read(pledges.c.seq) == []
    assert bench.read(security_events.c.kind) == []


def test_a_stream_without_a_pledge_is_noted_once_a_week(bench: Bench) -> None:
    bench.push(bench.body(1, 1))
    told = []
    for days in (3, 3, 2, 3, 5):
        bench.clock.advance(days=days)
        bench.push(bench.body(2, 1))
        told.append(bench.check()[1])
    assert told == [0, 0, 1, 0, 1]
    assert set(bench.read(security_events.c.kind)) == {("pledge-missing",)}


def test_a_station_that_went_silent_owes_no_pledge(bench: Bench) -> None:
    bench.push(bench.body(1, 1))
    bench.clock.advance(days=90)
    assert bench.check() == (0, 0)


def test_a_newer_pledge_is_not_marked_by_the_check_of_an_older_one(bench: Bench) -> None:
    database = bench.client.app.state.centre.database  # type: ignore[attr-defined]
    bench.push(bench.body(1, 2, **bench.pledge(2)))

    async def work() -> None:
        async with database.read() as connection:
            rows = await pledge_queries.list_unchecked(connection, limit=9)
        await asyncio.to_thread(bench.push, bench.body(3, 4, **bench.pledge(4)))
        async with database.write() as connection:
            await pledge_queries.mark_checked(connection, rows, right=True)

    bench.run(work)
    assert bench.read(pledges.c.seq, pledges.c.right) == [(4, None)]
