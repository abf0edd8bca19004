"""A station's key is changed in service: by age or on order, across power cuts, and the old one ends a day later."""

from pathlib import Path

import pytest

from agent.errors import LinkError
from agent.identity import Identity, load_identity
from agent.rotation import rotate
from collector.stations import service as stations
from shared.signing import key_id
from shared.wire.v1 import ROTATE_PATH
from tests.scenarios.harness import District, StoryStation

AIGUO = "宝轮镇 爱国社区"


def order_rotation(district: District) -> None:
    async def act() -> None:
        async with district.centre.database.write() as connection:
            await stations.order_rotation(
                connection, district.register.district_id, None, now_ms=district.clock.now().wall_ms
            )

    district.run(act())


def key_of(station: StoryStation) -> str:
    return key_id(bytes(load_identity(station.folder).key.verify_key))


def pushes(station: StoryStation, identity: Identity) -> bool:
    """Whether a push signed with this identity's key is taken."""
    assert station.agent is not None
    station.agent.uplink.identity = identity
    return station.agent.uplink.push(station.now())


def test_a_key_lives_a_year(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    first = key_of(station)
    district.clock.advance(days=360)
    district.passes(minutes=7)
    early = key_of(station)
    district.clock.advance(days=6)
    district.passes(minutes=14)

    assert early == first
    assert key_of(station) != first
    assert station.agent is not None
    assert station.agent.uplink.last_error == ""


def test_an_ordered_change_happens_at_the_next_push_and_only_once(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    first = key_of(station)
    order_rotation(district)
    district.passes(minutes=7)
    second = key_of(station)
    district.passes(minutes=30)

    assert second != first
    assert key_of(station) == second


def test_the_old_key_is_good_for_one_more_day(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    old = load_identity(station.folder)
    order_rotation(district)
    district.passes(minutes=7)
    new = load_identity(station.folder)
    district.clock.advance(hours=23)
    within = pushes(station, old)
    district.clock.advance(hours=2)

    assert within
    assert not pushes(station, old)
    assert pushes(station, new)


def test_an_answer_that_is_lost_loses_no_key(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    identity = load_identity(station.folder)
    station.transport.deaf = True
    with pytest.raises(LinkError):
        rotate(identity, station.transport, station.folder)
    station.transport.deaf = False
    again = rotate(identity, station.transport, station.folder)

    assert again.key != identity.key
    assert pushes(station, again)


def test_a_station_that_slept_over_the_end_of_its_old_key_goes_on_with_the_new_one(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    identity = load_identity(station.folder)
    station.transport.deaf = True
    with pytest.raises(LinkError):
        rotate(identity, station.transport, station.folder)
    station.transport.deaf = False
    district.clock.advance(days=40)
    district.passes(minutes=20)

    assert key_of(station) != key_id(bytes(identity.key.verify_key))
    assert station.agent is not None
    assert station.agent.uplink.last_error == ""


def test_a_key_that_was_followed_cannot_name_another_successor(district: District, tmp_path: Path) -> None:
    """A thief with yesterday's key does not get a key of his own out of it."""
    station = district.station(AIGUO)
    district.passes(minutes=7)
    stolen = load_identity(station.folder)
    order_rotation(district)
    district.passes(minutes=7)

    assert rotate(stolen, station.transport, tmp_path / "thief") == stolen


def test_nobody_claims_a_key_he_does_not_hold(district: District, tmp_path: Path) -> None:
    station, other = district.station(AIGUO), district.station("宝轮镇 红星村")
    district.passes(minutes=7)
    sent: list[bytes] = []

    class Meddler:
        """Puts another station's public key into the request, signed rightly with this station's key."""

        def post(self, path: str, body: bytes, headers: dict[str, str]) -> object:
            mine = bytes(load_identity(station.folder).key.verify_key).hex()
            sent.append(body)
            changed = body.replace(body[15:79], bytes(load_identity(other.folder).key.verify_key).hex().encode())
            assert mine.encode() not in changed
            return station.transport.post(path, changed, headers)

    identity = load_identity(station.folder)
    result = rotate(identity, Meddler(), tmp_path / "x")  # type: ignore[arg-type]

    assert result == identity
    assert sent != []


def test_a_revoked_key_names_no_successor(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    identity = load_identity(station.folder)
    district.enrols_again(station, AIGUO)

    assert rotate(identity, station.transport, station.folder) == identity


def test_a_rotation_without_signature_is_refused(district: District) -> None:
    body = {"public_key": "ab" * 32, "proof": "cd" * 64}
    answer = district.run(district.http.post(ROTATE_PATH, json=body))

    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad-signature")
