"""The district the invented year is lived in: the real register, and as many people as each mode has."""

from importlib import resources
from typing import Any

from collector import registers
from collector.areas.register import read_register
from collector.db.engine import Connection, Database
from collector.migrate import migrate
from collector.people import queries as people
from collector.people.queries import Role
from collector.stations import queries as stations
from collector.stations.register import plant_register

LIZHOU = 510802


async def plant(database: Database, mode: str, now_ms: int) -> dict[Any, int]:
    """The register with its people; alone, there are no "1"s and no offices that take part. Areas → township."""
    await migrate(database)
    sheet = read_register(resources.files(registers).joinpath("lizhou_2016.csv").read_bytes())
    async with database.write() as connection:
        planted = await plant_register(
            connection, LIZHOU, district_name="利州区", townships=sheet, total=245, now_ms=now_ms
        )
        for each in range(4):
            await _add(connection, f"中心{each}", Role.CENTRE, now_ms)
        if mode == "together":
            for short, area_id in planted.items():
                for number, role in enumerate((Role.BACKBONE, Role.BACKBONE, *[Role.TOWNSHIP] * 3)):
                    await _add(connection, f"{short}{number}", role, now_ms, area_id=area_id)
        for station in await stations.list_stations(connection, LIZHOU):
            name = f"{station.station_id:016x}"
            await stations.add_key(
                connection, LIZHOU, station.station_id, key_id=name, public_key=bytes(32), now_ms=now_ms
            )
            await _add(connection, f"X{station.station_id}", Role.PLAIN, now_ms, station_id=station.station_id)
    return {area_id: number for number, area_id in enumerate(planted.values())}


async def _add(connection: Connection, name: str, role: Role, now_ms: int, **place: Any) -> None:
    await people.add_person(connection, LIZHOU, name=name, role=role, now_ms=now_ms, **place)
