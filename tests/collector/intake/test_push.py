"""The push route as hostile and unlucky stations see it."""

import asyncio
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import func, select
from starlette.testclient import TestClient

from collector.app import create_app
from collector.intake.models import events, security_events, streams
from collector.settings import Settings
from collector.stations import queries as stations
from shared import chain
from shared.signing import key_id
from shared.wire.v1 import MAX_PACKED_BYTES, PATH, dump_line
from tests.clocks import ManualClock
from tests.collector.intake.groups import write_group_with_a_culprit
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.districts import LIZHOU, plant_district

STATION = f"{LIZHOU}/1"


@dataclass(frozen=True, slots=True)
class Bench:
    """A centre with one enrolled station."""

    client: TestClient
    key: SigningKey

    def push(self, body: bytes, *, headers: dict[str, str] | None = None) -> Any:
        return self.client.post(PATH, content=body, headers=headers or signed(self.key, STATION, body))

    def count(self, column: Any) -> int:
        centre = self.client.app.state.centre  # type: ignore[attr-defined]

        async def load() -> int:
            async with centre.database.read() as connection:
                return int((await connection.execute(select(func.count(column)))).scalar_one())

        return int(self.client.portal.call(load))  # type: ignore[union-attr]

    def revoke(self) -> None:
        centre = self.client.app.state.centre  # type: ignore[attr-defined]

        async def act() -> None:
            async with centre.database.write() as connection:
                await stations.revoke_key(connection, LIZHOU, 1, now_ms=centre.now_ms)

        self.client.portal.call(act)  # type: ignore[union-attr]


@pytest.fixture
def bench(database_url: str, clock: ManualClock) -> Iterator[Bench]:
    key = SigningKey.generate()
    app = create_app(Settings(database=database_url), clock=clock, with_jobs=False)
    database = app.state.centre.database

    async def plant() -> None:
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        async with database.write() as connection:
            public = bytes(key.verify_key)
            await stations.add_key(connection, LIZHOU, 1, key_id=key_id(public), public_key=public, now_ms=1)

    with TestClient(app, base_url="http://centre.test") as client:
        client.portal.call(plant)  # type: ignore[union-attr]
        yield Bench(client, key)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


def test_a_right_push_is_answered_with_what_is_stored(bench: Bench) -> None:
    answer = bench.push(packed(envelope(STATION), event(1), event(2)))
    assert answer.status_code == 200
    assert answer.json()["stored"] == 2
    assert bench.count(events.c.seq) == 2


def test_a_replayed_push_is_answered_alike_and_changes_nothing(bench: Bench) -> None:
    body = packed(envelope(STATION), event(1))
    answers = [bench.push(body).json()["stored"] for _ in range(3)]
    assert answers == [1, 1, 1]
    assert bench.count(events.c.seq) == 1


def test_a_push_without_signature_is_refused(bench: Bench) -> None:
    answer = bench.push(packed(envelope(STATION)), headers={"X": "none"})
    assert problem(answer) == (401, "/problems/bad-signature")


def test_a_push_signed_with_another_key_is_refused(bench: Bench) -> None:
    body = packed(envelope(STATION), event(1))
    answer = bench.push(body, headers=signed(SigningKey.generate(), STATION, body))
    assert problem(answer) == (401, "/problems/unknown-key")


def test_a_signature_over_other_bytes_is_refused(bench: Bench) -> None:
    body = packed(envelope(STATION), event(1))
    answer = bench.push(packed(envelope(STATION), event(1, text="forged")), headers=signed(bench.key, STATION, body))
    assert problem(answer) == (401, "/problems/bad-signature")
    assert bench.count(events.c.seq) == 0


def test_a_revoked_key_is_refused_at_the_next_request(bench: Bench) -> None:
    assert bench.push(packed(envelope(STATION), event(1))).status_code == 200
    bench.revoke()
    answer = bench.push(packed(envelope(STATION), event(1), event(2)))
    assert problem(answer) == (401, "/problems/key-revoked")
    assert bench.count(events.c.seq) == 1


def test_a_cut_body_is_refused_and_stores_nothing(bench: Bench) -> None:
    body = packed(envelope(STATION), event(1))[:-20]
    assert problem(bench.push(body)) == (400, "/problems/cut-body")
    assert bench.count(events.c.seq) == 0


def test_a_body_that_is_not_gzip_is_refused(bench: Bench) -> None:
    assert problem(bench.push(b"hello")) == (400, "/problems/bad-gzip")


def test_an_empty_body_is_refused(bench: Bench) -> None:
    assert problem(bench.push(b"")) == (400, "/problems/cut-body")


def test_an_oversized_body_is_refused(bench: Bench) -> None:
    assert problem(bench.push(b"x" * (MAX_PACKED_BYTES + 1))) == (413, "/problems/too-large")


def test_a_bomb_is_refused_before_it_is_unpacked(bench: Bench) -> None:
    assert problem(bench.push(gzip.compress(bytes(200 << 20)))) == (413, "/problems/too-large")


def test_json_nested_without_end_is_refused_or_set_aside(bench: Bench) -> None:
    deep = b"[" * 30_000 + b"]" * 30_000
    assert problem(bench.push(packed(deep))) == (400, "/problems/bad-envelope")
    answer = bench.push(packed(envelope(STATION), deep, event(2)))
    assert answer.json()["stored"] == 2


def test_an_envelope_without_a_field_names_the_field(bench: Bench) -> None:
    answer = bench.push(packed(b'{"wire":1}'))
    assert problem(answer) == (400, "/problems/bad-envelope")
    assert "station" in answer.json()["detail"]


def test_an_envelope_of_another_station_is_refused(bench: Bench) -> None:
    assert problem(bench.push(packed(envelope(f"{LIZHOU}/2")))) == (403, "/problems/wrong-station")


def test_too_many_events_are_refused(bench: Bench) -> None:
    body = packed(envelope(STATION), *(event(seq) for seq in range(1, 502)))
    assert problem(bench.push(body)) == (413, "/problems/too-many-events")


def test_a_line_that_is_too_long_is_refused(bench: Bench) -> None:
    body = packed(envelope(STATION), event(1, text="x" * 70_000))
    assert problem(bench.push(body)) == (413, "/problems/line-too-long")


def test_a_clock_set_back_within_a_sound_chain_is_kept_as_evidence_once(bench: Bench) -> None:
    centre = bench.client.app.state.centre  # type: ignore[attr-defined]
    back = {"seq": 1, "kind": "clock.jumped", "at": centre.now_ms - 7_200_000, "boot": "b", "mono": 500}
    body = packed(envelope(STATION), dump_line(back | {"data": {"by_ms": -7_200_000}}))
    assert bench.push(body).status_code == 200
    bench.push(body)
    assert (bench.count(events.c.seq), bench.count(security_events.c.event_id)) == (1, 1)


def test_a_poison_line_is_kept_and_blocks_nothing(bench: Bench) -> None:
    answer = bench.push(packed(envelope(STATION), b"\xff\xfe not json", event(2)))
    assert answer.json()["stored"] == 2
    assert bench.count(events.c.refused) == 1


@pytest.mark.parametrize(
    "name", ["=1+1.mp4", "../../etc/passwd", "<script>alert(1)</script>", "a\u0000b", "\u202egpj.exe", "村" * 85]
)
def test_odd_names_are_kept_as_they_are(bench: Bench, name: str) -> None:
    line = event(1, "courseware.received", sha256="ab" * 32, name=name, title=name, size=1)
    assert bench.push(packed(envelope(STATION), line)).json()["stored"] == 1
    assert bench.count(events.c.refused) == 0


def test_another_content_under_the_same_number_is_kept_as_evidence(bench: Bench) -> None:
    bench.push(packed(envelope(STATION), event(1)))
    answer = bench.push(packed(envelope(STATION), event(1, text="forged")))
    assert problem(answer) == (409, "/problems/stream-conflict")
    assert (bench.count(events.c.seq), bench.count(security_events.c.event_id)) == (1, 1)


def test_another_history_is_found_behind_a_gap_too(bench: Bench) -> None:
    """A disk put back to an old image, damaged and healed: no chain proves what a gap stands between."""
    gap = event(2, "spool.gap", first=2, last=4, counts={"unreadable": 3}, head="ab" * 32)
    bench.push(packed(envelope(STATION), event(1), event(2), event(3)))
    answer = bench.push(packed(envelope(STATION), event(1, text="other"), gap, event(5)))
    assert problem(answer) == (409, "/problems/stream-conflict")
    assert bench.count(events.c.seq) == 3


def test_a_gap_behind_what_is_stored_goes_on_from_there(bench: Bench) -> None:
    gap = event(2, "spool.gap", first=2, last=4, counts={"unreadable": 3}, head="ab" * 32)
    bench.push(packed(envelope(STATION), event(1), event(2), event(3)))
    answer = bench.push(packed(envelope(STATION), event(1), gap, event(5)))
    assert answer.json()["stored"] == 5


def test_lines_behind_a_hole_send_the_station_back(bench: Bench) -> None:
    head = chain.extend(chain.START, event(1))
    answer = bench.push(packed(envelope(STATION, first=2, head=head), event(2)))
    assert answer.json()["stored"] == 0
    assert bench.count(streams.c.stream) == 0


def test_an_old_heartbeat_does_not_overwrite_a_newer_one(bench: Bench) -> None:
    new = packed(envelope(STATION, heartbeat={"mono": 9000}))
    old = packed(envelope(STATION, heartbeat={"mono": 2000}))
    for body in (new, old):
        assert bench.push(body).status_code == 200
    centre = bench.client.app.state.centre  # type: ignore[attr-defined]

    async def load() -> Any:
        async with centre.database.read() as connection:
            return await stations.get_state(connection, LIZHOU, 1)

    assert bench.client.portal.call(load).mono_ms == 9000  # type: ignore[union-attr]


def test_a_group_that_fails_takes_down_only_its_culprit(database_url: str) -> None:
    assert asyncio.run(write_group_with_a_culprit(database_url)) == ["stored", "refused", "stored"]


def test_other_lines_under_numbers_far_below_what_is_stored_are_a_dispute(bench: Bench) -> None:
    bench.push(packed(envelope(STATION), event(1), event(2), event(3), event(4)))
    again = bench.push(packed(envelope(STATION), event(1), event(2)))
    other = bench.push(packed(envelope(STATION), event(1), event(2, text="of a copied disk")))
    assert again.json()["stored"] == 4
    assert problem(other) == (409, "/problems/stream-conflict")
    assert bench.count(security_events.c.kind) == 1
