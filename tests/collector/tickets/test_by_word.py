"""What has happened and no sensor sees mended (a swapped device, records changed) ends by a person's word."""

import asyncio
import json

import pytest

from collector.intake import queries as intake
from collector.intake.signs import CLOCK_SET_BACK, DEVICE_CHANGED, DISK_SET_BACK
from collector.tickets import service
from collector.tickets.queries import Ticket
from tests.watching import Watch, watch

TITLE = "宝轮镇 红星村"
SWAP = {"device": "projector", "before": {"maker": "EPSON", "serial": "1X"}, "after": {"maker": "ACER"}}


async def _tell(district: Watch, kind: str, detail: str) -> None:
    async with district.database.write() as connection:
        await intake.add_security_event(
            connection,
            district.district.district_id,
            station_id=district.district.stations[TITLE],
            kind=kind,
            detail=detail,
            content=None,
            now_ms=district.now_ms,
        )


async def _answer(district: Watch, ticket: Ticket) -> None:
    async with district.database.write() as connection:
        repair = service.Repair("送修换了一台", "登记表已改", on_site=True)
        who, version = ticket.assignee_id or 0, ticket.version
        await service.resolve(connection, ticket, repair, person_id=who, version=version, now_ms=district.now_ms)


def test_a_swapped_projector_is_asked_about_until_somebody_answers(database_url: str) -> None:
    async def story() -> tuple[str, list[str], list[int]]:
        async with watch(database_url) as district:
            await _tell(district, DEVICE_CHANGED, json.dumps(SWAP))
            await district.run(2)
            ticket = await district.ticket()
            await _answer(district, ticket)
            open_after = []
            await district.run(60)
            open_after.append(len(await district.tickets()))
            await _tell(district, DEVICE_CHANGED, json.dumps(SWAP))
            await district.run(2)
            open_after.append(len(await district.tickets()))
            return service.describe(ticket), await district.actions(ticket.ticket_id), open_after

    seen, actions, open_after = asyncio.run(story())
    assert "投影机换了：原来是 EPSON 1X，现在是 ACER" in seen
    assert actions == ["opened", "closed", "reopened"]
    assert open_after == [0, 1], "quiet after the answer, asked again of another exchange"


@pytest.mark.parametrize(
    ("kind", "why"),
    [(CLOCK_SET_BACK, "把主机的时钟往回拨过"), (DISK_SET_BACK, "主机装了还原卡或做过一键还原")],
)
def test_a_clock_or_a_disk_set_back_is_told_as_such(database_url: str, kind: str, why: str) -> None:
    async def story() -> tuple[str, str]:
        async with watch(database_url) as district:
            await _tell(district, kind, "details")
            await district.run(2)
            ticket = await district.ticket()
            return ticket.rule, service.describe(ticket)

    rule, seen = asyncio.run(story())
    assert rule == "tamper"
    assert seen.endswith(f"可能是{why}")
