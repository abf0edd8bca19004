"""Two replicas of the centre that take the same push at the same moment, as the simulation found them."""

import asyncio
from typing import Any

from collector.db.engine import Database
from collector.intake import queries
from tests.districts import LIZHOU, plant_district


def state(lease: bytes) -> dict[str, Any]:
    key = {"district_id": LIZHOU, "station_id": 1, "stream": bytes(16), "boot": "b", "mono_ms": 7, "wall_ms": 1}
    times = {"received_ms": 1, "first_received_ms": 1, "held_ms": None, "heartbeat": "{}"}
    return key | times | {"spool_stream": bytes(16), "spool_last": 1, "lease": lease, "lease_before": b""}


def test_of_two_leases_given_for_one_push_only_the_one_in_force_is_ours(database_url: str) -> None:
    async def write_twice() -> list[set[tuple[int, int]]]:
        database = Database(database_url)
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        ours = []
        for lease in (b"first", b"second"):
            async with database.write() as connection:
                ours.append(await queries.put_states(connection, [state(lease)]))
        await database.close()
        return ours

    assert asyncio.run(write_twice()) == [{(LIZHOU, 1)}, set()]
