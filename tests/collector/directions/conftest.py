"""A centre with one enrolled station and people of every role."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from nacl.signing import SigningKey
from sqlalchemy import select
from starlette.testclient import TestClient

from collector.app import create_app
from collector.db.engine import Connection
from collector.directions import queries, service
from collector.people.access import Visitor
from collector.people.models import audit
from collector.people.queries import Role, add_person, get_person
from collector.settings import Settings
from collector.stations import queries as stations
from shared import signing
from shared.signing import key_id
from shared.wire.directions import SETTINGS_PATH
from shared.wire.v1 import PATH, Answer
from tests.clocks import ManualClock
from tests.collector.intake.pushes import envelope, packed, signed
from tests.districts import LIZHOU, SmallDistrict, plant_district

T = TypeVar("T")
STATION = f"{LIZHOU}/1"


@dataclass(slots=True)
class Bureau:
    """The centre as its people and its station see it."""

    client: TestClient
    key: SigningKey
    clock: ManualClock
    district: SmallDistrict
    mono_ms: int = 1000

    @property
    def now_ms(self) -> int:
        return self.clock.now().wall_ms

    def act(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Something done in one transaction of its own."""
        centre = self.client.app.state.centre  # type: ignore[attr-defined]

        async def act() -> T:
            async with centre.database.write() as connection:
                return await work(connection)

        return self.client.portal.call(act)  # type: ignore[union-attr]

    def visitor(self, name: str) -> Visitor:
        person_id = self.district.people[name]
        person = self.act(lambda connection: get_person(connection, LIZHOU, person_id))
        assert person is not None
        return Visitor(person, "", "利州区")

    def add_leader(self) -> int:
        return self.act(
            lambda connection: add_person(connection, LIZHOU, name="领导", role=Role.LEADER, now_ms=self.now_ms)
        )

    def order(self, name: str, verb: str, *, station: str = "宝轮镇 爱国社区", **arguments: Any) -> str:
        visitor, station_id = self.visitor(name), self.district.stations[station]
        return self.act(
            lambda connection: service.order(connection, visitor, station_id, verb, arguments, now_ms=self.now_ms)
        )

    def set(self, name: str, document: dict[str, Any], *, station_id: int | None = 1) -> int:
        visitor = self.visitor(name)
        return self.act(
            lambda connection: service.change_settings(connection, visitor, station_id, document, now_ms=self.now_ms)
        )

    def commands(self) -> list[queries.CommandRow]:
        return self.act(lambda connection: queries.list_commands(connection, LIZHOU, 1))

    def audited(self) -> list[tuple[str, str, int | None, dict[str, Any]]]:
        async def load(connection: Connection) -> list[Any]:
            columns = (audit.c.action, audit.c.object, audit.c.person_id, audit.c.detail)
            wanted = audit.c.action.in_(["command.sent", "command.answered", "settings.changed"])
            return list(await connection.execute(select(*columns).where(wanted).order_by(audit.c.entry_id)))

        return [tuple(row) for row in self.act(load)]

    def push(self, *lines: bytes, first: int = 1, **changes: Any) -> Answer:
        self.mono_ms += 1000
        body = packed(envelope(STATION, first=first, heartbeat={"mono": self.mono_ms}, **changes), *lines)
        answer = self.client.post(PATH, content=body, headers=signed(self.key, STATION, body))
        assert answer.status_code == 200, answer.text
        return Answer.model_validate_json(answer.content)

    def fetch(self, *, have: int | None = None, key: SigningKey | None = None, method: str = "GET") -> Any:
        header = signing.authorization(key or self.key, method=method, path=SETTINGS_PATH, station=STATION, body=b"")
        known = {} if have is None else {"If-None-Match": f'"{have}"'}
        return self.client.get(SETTINGS_PATH, headers={"Authorization": header, **known})


@pytest.fixture
def bureau(database_url: str, clock: ManualClock) -> Iterator[Bureau]:
    key = SigningKey.generate()
    app = create_app(Settings(database=database_url), clock=clock, with_jobs=False)
    database = app.state.centre.database

    async def plant() -> SmallDistrict:
        district = await plant_district(database, {"宝轮镇": ["爱国社区"], "三堆镇": ["石龙村"]})
        async with database.write() as connection:
            public = bytes(key.verify_key)
            await stations.add_key(connection, LIZHOU, 1, key_id=key_id(public), public_key=public, now_ms=1)
        return district

    with TestClient(app, base_url="http://centre.test") as client:
        yield Bureau(client, key, clock, client.portal.call(plant))  # type: ignore[union-attr]
