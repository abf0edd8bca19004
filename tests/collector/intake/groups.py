"""Groups of pushes, straight to the writer."""

import asyncio

from collector.centre import Centre
from collector.db.engine import Database
from collector.errors import PushRefusedError
from collector.intake.service import Received
from collector.intake.unpacking import Push
from collector.intake.writer import Writer
from collector.settings import Settings
from collector.stations import queries as stations
from shared import chain
from shared.wire.v1 import Envelope
from tests.clocks import ManualClock
from tests.collector.intake.pushes import envelope, event
from tests.districts import LIZHOU, plant_district


async def open_centre(database_url: str, villages: int) -> Centre:
    """A centre whose stations, numbered from 1, have keys that nobody checks here."""
    centre = Centre(Settings(database=database_url), Database(database_url), ManualClock())
    await plant_district(centre.database, {"宝轮镇": [f"{number}村" for number in range(1, villages + 1)]})
    async with centre.database.write() as connection:
        for number in range(1, villages + 1):
            await stations.add_key(connection, LIZHOU, number, key_id=f"{number:016d}", public_key=bytes(32), now_ms=1)
    return centre


def received(number: int, *, seq: int = 1, head: bytes = chain.START) -> Received:
    """A station's push of one line."""
    told = envelope(f"{LIZHOU}/{number}", first=seq, head=head, heartbeat={"mono": 1000 + seq})
    push = Push(Envelope.model_validate_json(told), (event(seq),))
    return Received((LIZHOU, number), f"{number:016d}", push, 1_788_000_000_000)


async def write_group_with_a_culprit(database_url: str) -> list[str]:
    """Three stations push at once; the second one's heartbeat cannot be stored (its number does not fit)."""
    centre = await open_centre(database_url, villages=3)
    writer = Writer(centre)
    pushes = [received(number) for number in (1, 2, 3)]
    object.__setattr__(pushes[1].push.envelope.heartbeat, "mono", 2**70)
    waiting = [asyncio.ensure_future(_outcome(writer, each)) for each in pushes]
    await asyncio.sleep(0)
    writer.start()
    outcomes = list(await asyncio.gather(*waiting))
    await writer.stop()
    await centre.database.close()
    return outcomes


async def _outcome(writer: Writer, push: Received) -> str:
    try:
        await writer.submit(push)
    except PushRefusedError:
        return "refused"
    return "stored"
