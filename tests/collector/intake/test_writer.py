"""While PostgreSQL writes one group, another one goes on beside it; what one station sends stays in order."""

import asyncio

from sqlalchemy import text

from collector.intake.writer import Writer
from shared import chain
from tests.collector.intake.groups import open_centre, received
from tests.collector.intake.pushes import event

OTHERS = range(2, 40)


def test_a_group_that_is_held_up_holds_up_no_other_but_its_own_stations(postgres_url: str) -> None:
    asyncio.run(_hold_one_up(postgres_url))


async def _hold_one_up(postgres_url: str) -> None:
    centre = await open_centre(postgres_url, villages=OTHERS.stop)
    writer = Writer(centre)
    writer.start()
    await writer.submit(received(1))
    heads = [chain.START]
    for seq in (1, 2):
        heads.append(chain.extend(heads[-1], event(seq)))

    async with centre.database.write() as rival:
        await rival.execute(text("SELECT 1 FROM streams FOR UPDATE"))
        second = asyncio.ensure_future(writer.submit(received(1, seq=2, head=heads[1])))
        for _ in range(10):  # until it is under way, so that the third finds it there
            await asyncio.sleep(0)
        third = asyncio.ensure_future(writer.submit(received(1, seq=3, head=heads[2])))
        answers = await asyncio.wait_for(asyncio.gather(*(writer.submit(received(each)) for each in OTHERS)), 60)
        assert {answer.stored for answer in answers} == {1}
        assert not second.done()
        assert not third.done()

    assert (await second).stored == 2
    assert (await third).stored == 3
    await writer.stop()
    await centre.database.close()
