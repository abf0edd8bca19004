"""What the forms of the operators' archive send, and what the address of the list says."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from collector.errors import BadInputError
from collector.faults.rules.base import Category
from collector.people.queries import Role
from collector.web.forms import Number

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Filters(BaseModel):
    township: str = ""
    role: str = ""
    lacking: str = ""


class Filed(BaseModel):
    """A person's file as the form sends it."""

    name: Annotated[str, Field(max_length=60)] = ""
    role: Role = Role.BACKBONE
    phone: Annotated[str, Field(max_length=30)] = ""
    email: Annotated[str, Field(max_length=200)] = ""
    area_id: str = ""
    station_id: str = ""
    skills: list[Category] = []
    more_areas: list[UUID] = []
    duty: list[Annotated[int, Field(ge=1, le=7)]] = []
    duties: Annotated[str, Field(max_length=2000)] = ""
    version: int = 1
    csrf: str = ""


class Trained(BaseModel):
    day: Day
    topic: Annotated[str, Field(min_length=1, max_length=200)]
    hours: Annotated[int, Field(ge=1, le=999)] = 8
    csrf: str = ""


class Qualified(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=100)]
    number: Annotated[str, Field(max_length=60)] = ""
    issued_day: Day
    expires_day: Day | None = None
    csrf: str = ""


class Away(BaseModel):
    from_day: Day
    to_day: Day
    reason: Annotated[str, Field(max_length=200)] = ""
    csrf: str = ""


class Versioned(BaseModel):
    version: int
    csrf: str = ""


class Numbered(BaseModel):
    number: Number
    csrf: str = ""


def words_of(text: str) -> str:
    """Raises BadInputError where there is nothing but blanks."""
    if not text.strip():
        raise BadInputError("名称或内容不能为空。请填写。")
    return text.strip()


def day_of(text: str) -> str:
    """A day that exists, as in the calendar. Raises BadInputError."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadInputError("日期不对。请重新选择日期。") from error
