"""What a station gets when it asks for a release: its own offer, in pieces; who is no station gets nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from nacl.signing import SigningKey
from starlette.testclient import TestClient

from collector.app import create_app
from collector.releases import service
from collector.settings import Settings
from collector.stations import queries as stations
from shared import signing
from shared.release import split_release
from shared.signing import key_id
from shared.wire.releases import MAX_PIECE_BYTES, RELEASE_PATH, ReleaseAnswer
from tests.clocks import ManualClock
from tests.districts import LIZHOU, plant_district
from tests.releases import KEYS, make_release

RELEASE = make_release("0.2.0", {"__main__.py": "", "noise": bytes(range(256)) * 40})
HEADER, PAYLOAD = split_release(RELEASE)
PIECES = f"{RELEASE_PATH}/{HEADER.manifest.sha256}"


@dataclass(slots=True)
class Asking:
    """A centre that offers a release to station 1 alone; both stations hold `key`."""

    client: TestClient
    key: SigningKey

    def get(self, path: str, *, station: int = 1, key: SigningKey | None = None, **headers: str) -> httpx2.Response:
        name = f"{LIZHOU}/{station}"
        header = signing.authorization(key or self.key, method="GET", path=path, station=name, body=b"")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, headers={"Authorization": header, **named})


@pytest.fixture
def asking(database_url: str, clock: ManualClock) -> Iterator[Asking]:
    key = SigningKey.generate()
    app = create_app(Settings(database=database_url), clock=clock, with_jobs=False)
    database = app.state.centre.database

    async def plant() -> None:
        await plant_district(database, {"宝轮镇": ["爱国社区"], "三堆镇": ["石龙村"]})
        public = bytes(key.verify_key)
        async with database.write() as connection:
            for station_id in (1, 2):
                name = key_id(public)
                await stations.add_key(connection, LIZHOU, station_id, key_id=name, public_key=public, now_ms=1)
            await service.add(connection, LIZHOU, RELEASE, keys=KEYS, now_ms=1)
            await service.offer(connection, LIZHOU, "0.2.0", [1], now_ms=1)

    with TestClient(app, base_url="http://centre.test") as client:
        client.portal.call(plant)  # type: ignore[union-attr]
        yield Asking(client, key)


def test_the_station_of_the_ring_gets_the_header_as_it_was_signed(asking: Asking) -> None:
    answer = asking.get(RELEASE_PATH)

    assert answer.status_code == 200
    assert ReleaseAnswer.model_validate_json(answer.content).header == HEADER.dump().decode().strip()


def test_another_station_gets_nothing_and_who_has_it_gets_no_body(asking: Asking) -> None:
    assert asking.get(RELEASE_PATH, station=2).status_code == 204
    assert asking.get(RELEASE_PATH, If_None_Match='"0.2.0"').status_code == 304
    assert asking.get(RELEASE_PATH, If_None_Match='"0.1.0"').status_code == 200


def test_pieces_put_together_are_the_release(asking: Asking) -> None:
    whole = b""
    while len(whole) < len(PAYLOAD):
        answer = asking.get(PIECES, Range=f"bytes={len(whole)}-{len(whole) + 99}")
        assert answer.status_code == 206
        assert answer.headers["content-range"].endswith(f"/{len(PAYLOAD)}")
        whole += answer.content

    assert whole == PAYLOAD


@pytest.mark.parametrize("span", ["", "bytes=5-2", "bytes=-5", "bytes=0-", "bytes=99999999-99999999", "lines=1-2"])
def test_a_range_that_makes_no_sense_is_refused(asking: Asking, span: str) -> None:
    assert asking.get(PIECES, Range=span).status_code == 416


def test_one_answer_is_never_large_and_an_unknown_file_is_not_there(asking: Asking) -> None:
    assert len(asking.get(PIECES, Range="bytes=0-999999999").content) <= MAX_PIECE_BYTES
    assert asking.get(f"{RELEASE_PATH}/{'0' * 64}", Range="bytes=0-9").status_code == 404


@pytest.mark.parametrize("path", [RELEASE_PATH, PIECES])
def test_nobody_but_a_station_of_the_district_gets_anything(asking: Asking, path: str) -> None:
    assert asking.client.get(path, headers={"Range": "bytes=0-9"}).status_code == 401
    assert asking.get(path, key=SigningKey.generate(), Range="bytes=0-9").status_code == 401
    assert asking.get(path, station=99, Range="bytes=0-9").status_code == 401
