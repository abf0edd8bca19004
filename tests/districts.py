"""Small districts to test on."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from nacl.signing import SigningKey

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.areas.service import plant_area
from collector.db.engine import Database
from collector.people import queries as people
from collector.people.queries import Role
from collector.stations import queries as stations
from shared.signing import key_id

LIZHOU = 510802
NOW_MS = 1_788_000_000_000


@dataclass(frozen=True, slots=True)
class SmallDistrict:
    """`townships` by short name; `stations` by `乡镇 村`; `people` by name."""

    district_id: int
    townships: dict[str, UUID]
    stations: dict[str, int]
    people: dict[str, int]


async def plant_district(
    database: Database, plan: dict[str, list[str]], *, district_id: int = LIZHOU, now_ms: int = NOW_MS
) -> SmallDistrict:
    """Townships with their villages, a station in each village, a "1" and an office in each township, a director."""
    townships: dict[str, UUID] = {}
    station_ids: dict[str, int] = {}
    person_ids: dict[str, int] = {}
    async with database.write() as connection:
        await areas.add_district(connection, district_id, name="利州区", now_ms=now_ms)
        root = await plant_area(
            connection, district_id, parent_id=None, kind=AreaKind.DISTRICT, name="利州区", short="利州区", sort=0
        )
        person_ids["主任"] = await people.add_person(
            connection, district_id, name="主任", role=Role.CENTRE, now_ms=now_ms, account="zhuren"
        )
        for order, (township, villages) in enumerate(plan.items()):
            townships[township] = await plant_area(
                connection,
                district_id,
                parent_id=root,
                kind=AreaKind.TOWNSHIP,
                name=township,
                short=township,
                sort=order,
            )
            for role, title in ((Role.BACKBONE, "骨干"), (Role.TOWNSHIP, "管理员")):
                name = f"{township}{title}"
                person_ids[name] = await people.add_person(
                    connection,
                    district_id,
                    name=name,
                    role=role,
                    now_ms=now_ms,
                    area_id=townships[township],
                    email=f"p{len(person_ids)}@example.cn",
                )
            for number, village in enumerate(villages):
                area_id = await plant_area(
                    connection,
                    district_id,
                    parent_id=townships[township],
                    kind=AreaKind.VILLAGE,
                    name=village,
                    short=village,
                    sort=number,
                )
                station_ids[f"{township} {village}"] = await stations.add_station(
                    connection, district_id, area_id=area_id, name=village, kind="village", now_ms=now_ms
                )
    return SmallDistrict(district_id, townships, station_ids, person_ids)


async def plant_keys(database: Database, keys: Iterable[SigningKey]) -> None:
    """Give the stations 1, 2 and so on of Lizhou these keys."""
    async with database.write() as connection:
        for number, key in enumerate(keys, start=1):
            public = bytes(key.verify_key)
            await stations.add_key(connection, LIZHOU, number, key_id=key_id(public), public_key=public, now_ms=1)
