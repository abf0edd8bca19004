"""Stories of villages without a network, whose records travel on a stick."""

import gzip
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from sqlalchemy import func, select

from agent.bundle import export_bundle, take_receipt
from agent.errors import BundleError
from agent.identity import Identity, load_identity
from agent.probes.base import Fact
from agent.spool import Spool
from collector.errors import BadInputError
from collector.intake.bundles import Imported, import_bundle
from collector.intake.models import events
from collector.stations import queries as stations
from collector.stations.models import station_states
from shared import signing
from shared.bundle import METHOD, Receipt, read_parts, write_parts
from shared.wire.v1 import PATH
from tests.scenarios.harness import District, StoryStation

VILLAGE = "大石镇 红岩村"


def spool_of(station: StoryStation) -> Spool:
    assert station.agent is not None
    return station.agent.spool


def carry(station: StoryStation, stick: Path) -> Path:
    """Export to the stick; the file that is on it then."""
    made = export_bundle(stick, load_identity(station.folder), spool_of(station), station.district.clock.now())
    assert made is not None
    return made.path


def take_in(district: District, path: Path) -> Imported:
    return district.run(import_bundle(district.centre.database, path, now_ms=district.clock.now().wall_ms))


def receipt(district: District, given: Receipt, stick: Path) -> Path:
    """The receipt as the centre hands it out, signed."""
    seal = district.centre.seal
    assert seal is not None
    path = stick / "back.receipt"
    path.write_text(seal.sign_receipt(given).model_dump_json(), "utf-8")
    return path


def stored(district: District, title: str) -> list[int]:
    async def load() -> list[int]:
        async with district.centre.database.read() as connection:
            mine = events.c.station_id == district.register.stations[title]
            return list((await connection.execute(select(events.c.seq).where(mine).order_by(events.c.seq))).scalars())

    return district.run(load())


@pytest.fixture
def cut_off(district: District) -> StoryStation:
    """A village that has recorded three facts and never reached the centre."""
    station = district.station(VILLAGE)
    station.loses_network()
    station.records(*(Fact("note", {"n": number}) for number in range(3)))
    district.passes(minutes=3)
    return station


def test_what_is_carried_is_stored_and_the_receipt_moves_the_cursor(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    made = take_in(district, carry(cut_off, tmp_path))
    waiting = take_receipt(
        receipt(district, made.receipt, tmp_path),
        load_identity(cut_off.folder),
        spool_of(cut_off),
        district.clock.now(),
    )
    assert (made.title, made.new, made.known, waiting) == (VILLAGE, 4, 0, 0)
    assert stored(district, VILLAGE) == [1, 2, 3, 4]
    assert export_bundle(tmp_path, load_identity(cut_off.folder), spool_of(cut_off), district.clock.now()) is None


def test_a_bundle_taken_in_twice_adds_nothing(district: District, cut_off: StoryStation, tmp_path: Path) -> None:
    path = carry(cut_off, tmp_path)
    take_in(district, path)
    again = take_in(district, path)
    assert (again.new, again.known) == (0, 4)
    assert stored(district, VILLAGE) == [1, 2, 3, 4]


def test_a_bundle_and_a_later_push_overlap_without_doubles(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    first = carry(cut_off, tmp_path)
    cut_off.records(Fact("note", {"n": 4}))
    district.passes(minutes=2)
    cut_off.regains_network()
    district.passes(minutes=12)
    late = take_in(district, first)
    assert (late.new, late.known) == (0, 4)
    assert stored(district, VILLAGE) == [1, 2, 3, 4, 5]


def test_bundles_taken_in_the_wrong_order_fill_up_when_the_first_comes(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    first = carry(cut_off, tmp_path)
    made = take_in(district, first)
    take_receipt(
        receipt(district, made.receipt, tmp_path),
        load_identity(cut_off.folder),
        spool_of(cut_off),
        district.clock.now(),
    )
    cut_off.records(Fact("note", {"n": 4}))
    district.passes(minutes=2)
    take_in(district, carry(cut_off, tmp_path))
    assert take_in(district, first).new == 0
    assert stored(district, VILLAGE) == [1, 2, 3, 4, 5]


def test_a_station_whose_records_were_carried_does_not_count_as_heard(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    take_in(district, carry(cut_off, tmp_path))

    async def heard() -> int:
        async with district.centre.database.read() as connection:
            mine = station_states.c.station_id == district.register.stations[VILLAGE]
            return int((await connection.execute(select(func.count()).where(mine))).scalar_one())

    assert district.run(heard()) == 0


def test_carried_events_keep_the_time_they_were_recorded_with_and_are_flagged(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    recorded_ms = district.clock.now().wall_ms
    path = carry(cut_off, tmp_path)
    district.clock.advance(days=9)
    take_in(district, path)

    async def load() -> list[tuple[int, bool]]:
        async with district.centre.database.read() as connection:
            mine = events.c.station_id == district.register.stations[VILLAGE]
            rows = await connection.execute(select(events.c.booked_ms, events.c.uncertain).where(mine))
            return [(row[0], row[1]) for row in rows]

    booked = district.run(load())
    assert all(abs(at_ms - recorded_ms) < 600_000 and uncertain for at_ms, uncertain in booked)


def test_a_carried_push_cannot_be_passed_off_as_a_live_one(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    header, body = next(iter(read_parts(carry(cut_off, tmp_path))))
    headers = {"Authorization": header, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    answer = district.run(district.http.post("/api/v1/push", content=body, headers=headers))
    assert (answer.status_code, stored(district, VILLAGE)) == (401, [])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda _: b"PK\x03\x04 holiday pictures", "不是远教的记录包"),
        (lambda _: b"", "不是远教的记录包"),
        (lambda content: content[: len(content) // 2], "不完整"),
        (lambda content: content[:-1], "损坏"),
        (lambda content: content[:300] + b"?" + content[301:], "损坏"),
        (lambda content: content + content, "损坏"),
    ],
    ids=["another file", "empty", "cut in a push", "cut at the end", "changed", "twice over"],
)
def test_a_spoilt_bundle_is_refused_with_a_sentence(
    district: District, cut_off: StoryStation, tmp_path: Path, spoil: object, sentence: str
) -> None:
    path = carry(cut_off, tmp_path)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(BadInputError, match=sentence):
        take_in(district, path)
    assert stored(district, VILLAGE) == []


def test_a_bundle_with_another_key_is_refused(district: District, cut_off: StoryStation, tmp_path: Path) -> None:
    mine = load_identity(cut_off.folder)
    forged = Identity(mine.station, mine.title, mine.centre, SigningKey.generate())
    made = export_bundle(tmp_path, forged, spool_of(cut_off), district.clock.now())
    assert made is not None
    with pytest.raises(BadInputError, match="没有登记过"):
        take_in(district, made.path)


def test_a_bomb_on_a_stick_is_refused_before_it_is_unpacked(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    mine, path, bomb = load_identity(cut_off.folder), tmp_path / "bomb.bundle", gzip.compress(bytes(200 << 20))
    header = signing.authorization(mine.key, method=METHOD, path=PATH, station=mine.station, body=bomb)
    with path.open("wb") as file:
        write_parts(file, [(header, bomb)])
    with pytest.raises(BadInputError, match="too-large"):
        take_in(district, path)
    assert stored(district, VILLAGE) == []


def test_a_bundle_of_a_pc_that_was_taken_out_of_service_is_refused(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    path = carry(cut_off, tmp_path)

    async def revoke() -> None:
        async with district.centre.database.write() as connection:
            number = district.register.stations[VILLAGE]
            await stations.revoke_key(connection, district.register.district_id, number, now_ms=1)

    district.run(revoke())
    with pytest.raises(BadInputError, match="已经停用"):
        take_in(district, path)


def test_a_receipt_of_another_station_is_refused(district: District, cut_off: StoryStation, tmp_path: Path) -> None:
    made = take_in(district, carry(cut_off, tmp_path))
    other = load_identity(district.station("大石镇 杨柳村").folder)
    with pytest.raises(BundleError, match="是给站点"):
        take_receipt(receipt(district, made.receipt, tmp_path), other, spool_of(cut_off), district.clock.now())


def test_a_receipt_that_names_another_history_moves_no_cursor(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    made = take_in(district, carry(cut_off, tmp_path))
    kept = made.receipt.streams[0].model_copy(update={"stored": 2})
    path = receipt(district, made.receipt.model_copy(update={"streams": [kept]}), tmp_path)
    with pytest.raises(BundleError, match="对不上"):
        take_receipt(path, load_identity(cut_off.folder), spool_of(cut_off), district.clock.now())
    assert spool_of(cut_off).depth().waiting == 4


def test_a_receipt_without_the_centres_signature_moves_no_cursor(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    made = take_in(district, carry(cut_off, tmp_path))
    path = tmp_path / "forged.receipt"
    path.write_text(made.receipt.model_dump_json(), "utf-8")
    with pytest.raises(BundleError, match="没有中心的签名"):
        take_receipt(path, load_identity(cut_off.folder), spool_of(cut_off), district.clock.now())
    assert spool_of(cut_off).depth().waiting == 4


def test_an_old_receipt_does_not_take_the_cursor_back(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    made = take_in(district, carry(cut_off, tmp_path))
    cut_off.records(Fact("note", {"n": 4}))
    cut_off.regains_network()
    district.passes(minutes=12)
    waiting = take_receipt(
        receipt(district, made.receipt, tmp_path),
        load_identity(cut_off.folder),
        spool_of(cut_off),
        district.clock.now(),
    )
    assert waiting == 0


def test_a_stick_that_cannot_be_written_is_said_in_words(
    district: District, cut_off: StoryStation, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="写不进去"):
        export_bundle(tmp_path / "gone", load_identity(cut_off.folder), spool_of(cut_off), district.clock.now())
