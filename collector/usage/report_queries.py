"""Months as the report and the charts need them: from roll-ups and tables of the month, never from raw events."""

from dataclasses import dataclass
from uuid import UUID

from collector.usage.queries import Connection


@dataclass(frozen=True, slots=True)
class TownshipFigures:
    """One bar of a chart: sessions that count, people, visits, minutes of content shown."""

    township_id: UUID
    township: str
    sessions: int
    people: int
    visits: int
    content_minutes: int


async def month_figures(connection: Connection, district_id: int, month: int) -> list[TownshipFigures]:
    """Townships in official order, those without any study too."""
    raise NotImplementedError
