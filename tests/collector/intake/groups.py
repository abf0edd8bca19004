"""A group of pushes of which one cannot be written."""

import asyncio

from collector.centre import Centre
from collector.db.engine import Database
from collector.errors import PushRefusedError
from collector.intake.service import Received
from collector.intake.unpacking import Push
from collector.intake.writer import Writer
from collector.settings import Settings
from collector.stations import queries as stations
from shared.wire.v1 import Envelope
from tests.clocks import ManualClock
from tests.collector.intake.pushes import envelope, event
from tests.districts import LIZHOU, plant_district


async def write_group_with_a_culprit(database_url: str) -> list[str]:
    """Three stations push at once; the second one's heartbeat cannot be stored (its number does not fit)."""
    database = Database(database_url)
    centre = Centre(Settings(database=database_url), database, ManualClock())
    await plant_district(database, {"宝轮镇": ["甲村", "乙村", "丙村"]})
    async with database.write() as connection:
        for number in (1, 2, 3):
            await stations.add_key(connection, LIZHOU, number, key_id=f"{number:016d}", public_key=bytes(32), now_ms=1)
    writer = Writer(centre)
    received = [_received(number) for number in (1, 2, 3)]
    object.__setattr__(received[1].push.envelope.heartbeat, "mono", 2**70)
    waiting = [asyncio.ensure_future(_outcome(writer, each)) for each in received]
    await asyncio.sleep(0)
    writer.start()
    outcomes = list(await asyncio.gather(*waiting))
    await writer.stop()
    await database.close()
    return outcomes


async def _outcome(writer: Writer, received: Received) -> str:
    try:
        await writer.submit(received)
    except PushRefusedError:
        return "refused"
    return "stored"


def _received(number: int) -> Received:
    head = Envelope.model_validate_json(envelope(f"{LIZHOU}/{number}"))
    return Received((LIZHOU, number), f"{number:016d}", Push(head, (event(1),)), 1_788_000_000_000)
