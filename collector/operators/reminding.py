"""Reminds the office of every "1" who has no training this year: the rule book asks for one or two a year."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from collector.alerts import queries as outbox
from collector.alerts.channels.base import OpenChannel
from collector.alerts.messages import after_quiet
from collector.alerts.queries import NewMessage, Rank
from collector.alerts.service import find_ways
from collector.areas import queries as areas
from collector.db.engine import Connection
from collector.operators import queries
from collector.operators.service import list_rows
from collector.people import queries as people
from collector.people.queries import Person, Role
from shared.months import local

_REMIND_FROM_MONTH = 9
"""Earlier there is time left; a district says otherwise under `training.remind_from_month` in its settings."""


async def remind_of_training(
    connection: Connection,
    district_id: int,
    *,
    channels: Mapping[str, OpenChannel],
    public_url: str,
    now_ms: int,
    zone: ZoneInfo,
) -> int:
    """Once a month from autumn on: tell the centre and the offices which "1" has no training this year.

    One message a reader, with all names. Returns how many were written.
    """
    today = local(now_ms, zone).date()
    settings = await areas.get_district_settings(connection, district_id)
    if today.month < _from_month(settings):
        return 0
    rows = await list_rows(connection, district_id, today=today)
    lacking = [each.person for each in rows if each.person.role is Role.BACKBONE and not each.trained]
    if not lacking or not await queries.mark_reminded(connection, district_id, f"{today:%Y-%m}", now_ms=now_ms):
        return 0
    reaches = await outbox.list_reaches(connection, district_id)
    written = 0
    for reader in await people.list_people(connection, district_id):
        names = [each.name for each in lacking if _concerns(reader, each)]
        ways = find_ways(reader, reaches.get(reader.person_id, {}), channels) if names else ()
        if not ways:
            continue
        new = NewMessage(
            ticket_id=None,
            person_id=reader.person_id,
            ways=ways,
            subject=f"培训提醒 · {today.year} 年还有 {len(names)} 名骨干没有培训",
            body=f"{'、'.join(names)}\n今年还没有培训记录。请安排培训并登记：{public_url.rstrip('/')}/operators",
            data={"action": "training", "people": names, "link": f"{public_url.rstrip('/')}/operators"},
            rank=Rank.REMINDER,
        )
        await outbox.add_message(connection, district_id, new, now_ms=now_ms, not_before_ms=after_quiet(now_ms, zone))
        written += 1
    return written


def _concerns(reader: Person, person: Person) -> bool:
    if reader.role is Role.TOWNSHIP:
        return reader.answers_for(person.area_id)
    return reader.role is Role.CENTRE


def _from_month(settings: Mapping[str, object]) -> int:
    own = settings.get("training")
    month = own.get("remind_from_month") if isinstance(own, dict) else None
    return month if isinstance(month, int) and 1 <= month <= 12 else _REMIND_FROM_MONTH
