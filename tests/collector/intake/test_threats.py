"""Threats T1 to T5 of the threat model: each of these attacks worked, or would, before its defence was there."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey
from sqlalchemy import select
from starlette.testclient import TestClient

from collector.app import create_app
from collector.schema import metadata
from collector.settings import Settings
from collector.stations import queries as stations
from shared import chain, signing
from shared.wire.v1 import PATH, ROTATE_PATH
from tests.clocks import ManualClock
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.districts import LIZHOU, plant_district, plant_keys

ONE, TWO = f"{LIZHOU}/1", f"{LIZHOU}/2"
LINES = [event(seq) for seq in range(1, 6)]


@dataclass(frozen=True, slots=True)
class Centre:
    """A centre with two stations; `keys` by station."""

    client: TestClient
    keys: dict[str, SigningKey]
    clock: ManualClock

    def post(self, body: bytes, headers: dict[str, str]) -> Any:
        return self.client.post(PATH, content=body, headers=headers)

    def push(self, body: bytes, station: str = ONE) -> Any:
        return self.post(body, signed(self.keys[station], station, body))

    def everything(self) -> str:
        """Digest of all tables but those that keep evidence."""
        database = self.client.app.state.centre.database  # type: ignore[attr-defined]

        async def read() -> str:
            digest = sha256()
            async with database.read() as connection:
                for table in metadata.sorted_tables:
                    rows = await connection.execute(select(table).order_by(*table.primary_key.columns))
                    digest.update(repr([table.name, *map(tuple, rows)]).encode())
            return digest.hexdigest()

        return str(self.client.portal.call(read))  # type: ignore[union-attr]


@pytest.fixture
def centre(database_url: str, clock: ManualClock) -> Iterator[Centre]:
    keys = {ONE: SigningKey.generate(), TWO: SigningKey.generate()}
    app = create_app(Settings(database=database_url), clock=clock, with_jobs=False)
    database = app.state.centre.database

    async def plant() -> None:
        await plant_district(database, {"宝轮镇": ["爱国社区", "红星村"]})
        await plant_keys(database, keys.values())

    with TestClient(app, base_url="http://centre.test") as client:
        client.portal.call(plant)  # type: ignore[union-attr]
        yield Centre(client, keys, clock)


# --- T1: a rogue machine poses as a station ---------------------------------------------------------------------------


def test_another_stations_key_opens_nothing(centre: Centre) -> None:
    body = packed(envelope(ONE), LINES[0])
    answer = centre.post(body, signed(centre.keys[TWO], ONE, body))

    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unknown-key")


def test_a_rightly_signed_push_does_not_speak_for_another_station(centre: Centre) -> None:
    answer = centre.push(packed(envelope(TWO), LINES[0]), ONE)

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-station")


@pytest.mark.parametrize("path", [ROTATE_PATH, "/api/v1/enrol", "/api/v1/trust"])
def test_a_signature_for_a_push_opens_no_other_door(centre: Centre, path: str) -> None:
    body = json.dumps({"public_key": "ab" * 32, "proof": "cd" * 64, "code": "0" * 12}).encode()
    headers = signed(centre.keys[ONE], ONE, body) | {"Content-Type": "application/json"}

    assert centre.client.post(path, content=body, headers=headers).status_code in {401, 405}


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_header_altered_anywhere_is_refused(centre: Centre, data: st.DataObject) -> None:
    body = packed(envelope(ONE), LINES[0])
    header = signed(centre.keys[ONE], ONE, body)["Authorization"]
    place = data.draw(st.integers(0, len(header) - 1))
    letter = data.draw(st.sampled_from('abcXYZ019+/=", ').filter(lambda each: each != header[place]))
    altered = header[:place] + letter + header[place + 1 :]

    answer = centre.post(body, {"Authorization": altered})

    assert answer.status_code == 401 or _is_same_signature(altered, header)


def _is_same_signature(one: str, other: str) -> bool:
    """The last letter of base64 carries bits nobody reads: such a header says the same thing."""
    return signing.read_claim(one) == signing.read_claim(other)


@pytest.mark.parametrize("header", ["", "Bearer x", "Yuanjiao", 'Yuanjiao alg="none", station="510802/1"'])
def test_a_header_that_is_no_claim_is_refused(centre: Centre, header: str) -> None:
    assert centre.post(packed(envelope(ONE)), {"Authorization": header}).status_code == 401


# --- T2: a stolen key -------------------------------------------------------------------------------------------------


def test_a_stations_key_opens_no_page_and_no_other_route(centre: Centre) -> None:
    """A station may write its own and read nothing: whatever it asks for, it is nobody."""
    answers = {
        path: centre.client.get(
            path,
            headers={
                "Authorization": signing.authorization(centre.keys[ONE], method="GET", path=path, station=ONE, body=b"")
            },
            follow_redirects=False,
        ).status_code
        for path in list_pages(centre)
    }

    assert len(answers) >= 8
    assert {path: status for path, status in answers.items() if status not in {303, 401, 403, 404, 405, 422}} == {}


def list_pages(centre: Centre) -> list[str]:
    """Every address people use; not those of machines, of a station's own settings and releases, and of signing in."""
    public = (
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/signin",
        "/static",
        "/api/v1/trust",
        "/api/v1/settings",
        "/api/v1/release",
        "/language",
        "/assets",
    )
    found = {path for path in centre.client.get("/openapi.json").json()["paths"] if not path.startswith(public)}
    return sorted(path.replace("{", "").replace("}", "") for path in found)


def test_a_key_revoked_while_its_push_is_on_the_way_is_refused(centre: Centre) -> None:
    centre.push(packed(envelope(ONE), LINES[0]))
    database = centre.client.app.state.centre.database  # type: ignore[attr-defined]

    async def revoke() -> None:
        async with database.write() as connection:
            await stations.revoke_key(connection, LIZHOU, 1, now_ms=centre.clock.now().wall_ms)

    centre.client.portal.call(revoke)  # type: ignore[union-attr]
    answer = centre.push(packed(envelope(ONE, heartbeat={"mono": 2000}), *LINES[:2]))

    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/key-revoked")


# --- T4: captured pushes sent again -----------------------------------------------------------------------------------


def a_life(centre: Centre) -> tuple[list[tuple[bytes, dict[str, str]]], bytes]:
    """What somebody on the line records over three boots of an honest station, and its next push after that."""
    recorded: list[tuple[bytes, dict[str, str]]] = []
    lease, head = "", chain.START
    for number, (boot, mono) in enumerate([("b1", 1000), ("b1", 2000), ("b2", 500), ("b2", 900), ("b3", 300)]):
        line = LINES[number]
        body = packed(
            envelope(ONE, first=number + 1, head=head, heartbeat={"boot": boot, "mono": mono}, lease=lease), line
        )
        headers = signed(centre.keys[ONE], ONE, body)
        answer = centre.post(body, headers)
        assert answer.status_code == 200
        lease, head = answer.json().get("lease", ""), chain.extend(head, line)
        recorded.append((body, headers))
    following = envelope(ONE, first=6, head=head, heartbeat={"boot": "b3", "mono": 400}, lease=lease)
    return recorded, packed(following, event(6))


ORDERS: list[Callable[[list[Any]], list[Any]]] = [list, lambda each: each[::-1], lambda each: each[1::2] + each[::2]]


@pytest.mark.parametrize("order", ORDERS)
def test_every_recorded_push_sent_three_times_again_changes_nothing(
    centre: Centre, order: Callable[[list[Any]], list[Any]]
) -> None:
    recorded, _ = a_life(centre)
    before = centre.everything()
    centre.clock.advance(hours=5)

    statuses = {centre.post(*each).status_code for _ in range(3) for each in order(recorded)}

    assert statuses == {200}
    assert centre.everything() == before


def test_a_replay_does_not_hold_the_honest_station_aside(centre: Centre) -> None:
    recorded, following = a_life(centre)
    for each in recorded * 2:
        centre.post(*each)

    assert centre.push(following).json()["stored"] == 6


def test_a_replay_hands_out_no_lease(centre: Centre) -> None:
    """Else whoever sends yesterday's push again could pose as the holder."""
    recorded, _ = a_life(centre)

    assert {centre.post(*each).json().get("lease", "") for each in recorded} == {""}


# --- T5: a middle box reorders, cuts and merges -----------------------------------------------------------------------

MEDDLING: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "reordered": lambda lines: [lines[0], *lines[:0:-1]],
    "cut at the end": lambda lines: lines[:-1],
    "cut in the middle": lambda lines: [*lines[:2], *lines[3:]],
    "one doubled": lambda lines: [*lines, lines[-1]],
    "one added": lambda lines: [*lines, event(6)],
    "one altered": lambda lines: [*lines[:-1], lines[-1].replace(b'"note"', b'"nota"')],
    "another beginning": lambda lines: [lines[0].replace(b'"from":1', b'"from":2'), *lines[2:]],
    "another time": lambda lines: [lines[0].replace(b'"mono":1000', b'"mono":9000'), *lines[1:]],
    "another lease": lambda lines: [lines[0][:-1] + b',"lease":"' + b"a" * 32 + b'"}', *lines[1:]],
}


@pytest.mark.parametrize("how", MEDDLING)
def test_a_push_that_was_meddled_with_is_refused_whole(centre: Centre, how: str) -> None:
    body = packed(envelope(ONE), *LINES)
    headers = signed(centre.keys[ONE], ONE, body)
    before = centre.everything()
    meddled = packed(*MEDDLING[how](gzip.decompress(body).splitlines()))

    answer = centre.post(meddled, headers)

    assert meddled != body
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad-signature")
    assert centre.everything() == before


def test_two_pushes_merged_into_one_are_refused(centre: Centre) -> None:
    bodies = [packed(envelope(ONE), *LINES[:2]), packed(envelope(ONE, first=3), *LINES[2:])]
    merged = b"".join(bodies)

    assert [centre.post(merged, signed(centre.keys[ONE], ONE, body)).status_code for body in bodies] == [401, 401]


def test_pushes_that_arrive_in_the_wrong_order_are_stored_in_the_right_one(centre: Centre) -> None:
    head = chain.extend_all(chain.START, LINES[:2])
    late = packed(envelope(ONE, first=3, head=head, heartbeat={"mono": 3000}), *LINES[2:])
    early = packed(envelope(ONE, heartbeat={"mono": 1000}), *LINES[:2])

    stored = [centre.push(body).json()["stored"] for body in (late, early, late)]

    assert stored == [0, 2, 5]
