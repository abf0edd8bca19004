"""What the forms of tickets send, and what the address of the list says."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import UploadFile
from pydantic import BaseModel, Field

from collector.faults.rules.base import Category, Severity
from collector.web.forms import Number
from shared.months import local

STEP = 50
MOST = 500
_DAY_ENDS = time(18)


class Filters(BaseModel):
    """What the address of the list says; senseless values ask for everything."""

    show: str = "open"
    township: str = ""
    category: str = ""
    state: str = ""
    mine: str = ""
    limit: Annotated[int, Field(ge=1, le=MOST)] = STEP

    def address(self, **changes: object) -> str:
        values = {**self.model_dump(exclude_defaults=True), **changes}
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"/tickets?{query}" if query else "/tickets"

    @property
    def narrows(self) -> bool:
        """Whether something may be hidden that would be shown without filters."""
        return bool(self.township or self.category or self.state or self.mine)


class Seen(BaseModel):
    """Every form says which version of the ticket the person was looking at."""

    version: int
    note: Annotated[str, Field(max_length=2000)] = ""
    back: Annotated[str, Field(max_length=2000)] = ""
    csrf: str = ""


class Remark(Seen):
    photos: list[UploadFile] = []


class Promise(Seen):
    day: date | None = None


class Delay(Seen):
    day: date


class HandOver(Seen):
    assignee_id: Number


class Fixed(Seen):
    cause: Annotated[str, Field(max_length=200)] = ""
    done: Annotated[str, Field(max_length=2000)] = ""
    parts: Annotated[str, Field(max_length=200)] = ""
    on_site: bool = False
    helped: Literal["", "plain", "backbone", "other"] = ""


class Other(Seen):
    """Another ticket, and whether this one is put under it or only linked."""

    other_id: Number
    under: bool = False


class Removed(Seen):
    photo_id: Number


class Reported(BaseModel):
    """A fault reported by hand, with photos."""

    station_id: Number
    category: Category = Category.HARDWARE_COMMON
    severity: Severity = Severity.MAJOR
    text: Annotated[str, Field(max_length=2000)] = ""
    previous_id: Number | None = None
    photos: list[UploadFile] = []
    csrf: str = ""


def next_working_day(now_ms: int, zone: ZoneInfo) -> date:
    """Tomorrow, or Monday: the day a ticket is promised for when nobody says another."""
    day = local(now_ms, zone).date() + timedelta(days=1)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)


def end_of(day: date, zone: ZoneInfo) -> int:
    """The end of a working day, 18:00, as epoch milliseconds."""
    return int(datetime.combine(day, _DAY_ENDS, zone).timestamp() * 1000)


def id_of(text: str) -> UUID | None:
    """An area's id, None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None
