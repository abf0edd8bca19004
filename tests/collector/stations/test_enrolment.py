"""A code typed by an operator becomes a station's key, once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agent.enrolment import enrol
from agent.errors import EnrolmentError
from agent.identity import load_identity
from agent.transport import Response
from collector.app import create_app
from collector.settings import Settings
from collector.stations import queries, service
from shared import codes
from shared.signing import key_id
from shared.wire.v1 import ENROL_PATH, EnrolAnswer
from tests.clocks import ManualClock
from tests.districts import LIZHOU, plant_district


@dataclass(frozen=True, slots=True)
class Bench:
    client: TestClient
    clock: ManualClock
    folder: Path

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        answer = self.client.post(path, content=body, headers=dict(headers))
        return Response(answer.status_code, answer.content)

    def new_code(self, station_id: int = 1) -> str:
        centre = self.client.app.state.centre  # type: ignore[attr-defined]

        async def make() -> str:
            async with centre.database.write() as connection:
                return await service.new_code(connection, LIZHOU, station_id, now_ms=centre.now_ms)

        return str(self.client.portal.call(make))  # type: ignore[union-attr]

    def enrol(self, code: str, machine: str = "one") -> EnrolAnswer:
        return enrol(code, centre="http://centre.test", transport=self, state_dir=self.folder / machine)


@pytest.fixture
def bench(database_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Bench]:
    app = create_app(Settings(database=database_url), clock=clock, with_jobs=False)
    with TestClient(app, base_url="http://centre.test") as client:
        client.portal.call(plant_district, app.state.centre.database, {"宝轮镇": ["爱国社区", "红星村"]})  # type: ignore[union-attr]
        yield Bench(client, clock, tmp_path)


def wrong_secret(code: str) -> str:
    """The same look-up part with another, well-formed secret."""
    other = codes.normalise(codes.new_code())
    body = codes.normalise(code)[:4] + other[4:11]
    return next(body + last for last in codes.ALPHABET if _is_well_formed(body + last))


def _is_well_formed(text: str) -> bool:
    try:
        codes.normalise(text)
    except codes.MistypedCodeError:
        return False
    return True


def test_a_code_makes_this_machine_the_station(bench: Bench) -> None:
    answer = bench.enrol(bench.new_code())
    assert (answer.station, answer.title) == (f"{LIZHOU}/1", "宝轮镇 爱国社区")
    assert load_identity(bench.folder / "one").station == f"{LIZHOU}/1"


def test_a_code_may_be_typed_in_small_letters_with_spaces(bench: Bench) -> None:
    code = bench.new_code().lower().replace("-", " ")
    assert bench.enrol(code).station == f"{LIZHOU}/1"


def test_the_same_code_from_the_same_machine_gives_the_same_answer(bench: Bench) -> None:
    code = bench.new_code()
    assert bench.enrol(code).station == bench.enrol(code).station


def test_a_used_code_is_refused_to_another_machine(bench: Bench) -> None:
    code = bench.new_code()
    bench.enrol(code)
    with pytest.raises(EnrolmentError, match="已经用过"):
        bench.enrol(code, machine="two")


def test_a_mistyped_code_is_found_before_anything_is_sent(bench: Bench) -> None:
    plain = codes.normalise(bench.new_code())
    typed = plain[:-1] + codes.ALPHABET[(codes.ALPHABET.index(plain[-1]) + 1) % 32]
    with pytest.raises(EnrolmentError, match="输入有误"):
        bench.enrol(typed)


def test_an_expired_code_is_refused(bench: Bench) -> None:
    code = bench.new_code()
    bench.clock.advance(hours=72)
    with pytest.raises(EnrolmentError, match="已经过期"):
        bench.enrol(code)


def test_five_wrong_tries_kill_a_code(bench: Bench) -> None:
    code = bench.new_code()
    for _ in range(4):
        with pytest.raises(EnrolmentError, match="安装码不对"):
            bench.enrol(wrong_secret(code))
    with pytest.raises(EnrolmentError, match="已经作废"):
        bench.enrol(wrong_secret(code))
    with pytest.raises(EnrolmentError, match="已经作废"):
        bench.enrol(code)


def test_a_new_code_ends_the_one_before(bench: Bench) -> None:
    old = bench.new_code()
    bench.new_code()
    with pytest.raises(EnrolmentError, match="已经过期"):
        bench.enrol(old)


def test_a_replaced_pc_ends_the_key_of_the_old_one(bench: Bench) -> None:
    bench.enrol(bench.new_code(), machine="old")
    bench.enrol(bench.new_code(), machine="new")
    centre = bench.client.app.state.centre  # type: ignore[attr-defined]

    async def valid() -> list[bool]:
        names = [key_id(bytes(load_identity(bench.folder / each).key.verify_key)) for each in ("old", "new")]
        async with centre.database.read() as connection:
            return [
                await queries.get_key(connection, LIZHOU, 1, name, now_ms=bench.clock.now().wall_ms) is not None
                for name in names
            ]

    assert bench.client.portal.call(valid) == [False, True]  # type: ignore[union-attr]


def test_a_machine_that_enrols_again_with_a_new_code_brings_a_new_key(bench: Bench) -> None:
    bench.enrol(bench.new_code())
    before = load_identity(bench.folder / "one").key
    bench.enrol(bench.new_code())

    assert load_identity(bench.folder / "one").key != before


def test_a_code_that_is_refused_leaves_the_identity_as_it_was(bench: Bench) -> None:
    bench.enrol(bench.new_code())
    before = load_identity(bench.folder / "one")
    code = bench.new_code()
    bench.clock.advance(hours=73)
    with pytest.raises(EnrolmentError, match="已经过期"):
        bench.enrol(code)

    assert load_identity(bench.folder / "one") == before


def test_an_unsigned_enrolment_is_refused(bench: Bench) -> None:
    body = {"code": bench.new_code(), "public_key": "ab" * 32}
    answer = bench.client.post(ENROL_PATH, json=body)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad-signature")
