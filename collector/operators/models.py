"""Tables of the operators' archive. What routing needs of a person lies with people; this is what the office keeps.

Days are texts, 2026-09-10. `training_reminders` remembers the months in which the office has been reminded.
"""

from sqlalchemy import Column, ForeignKeyConstraint, Integer, String, Table

from collector.db.types import at, district, metadata, number


def _to_person() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["district_id", "person_id"], ["people.district_id", "people.person_id"])


qualifications = Table(
    "qualifications",
    metadata,
    district(),
    number("person_id"),
    number("qualification_id"),
    Column("title", String(100), nullable=False),
    Column("number", String(60), nullable=False),
    Column("issued_day", String(10), nullable=False),
    Column("expires_day", String(10), nullable=True),
    _to_person(),
)

trainings = Table(
    "trainings",
    metadata,
    district(),
    number("person_id"),
    number("training_id"),
    Column("day", String(10), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("hours", Integer, nullable=False),
    _to_person(),
)

training_reminders = Table(
    "training_reminders", metadata, district(), Column("month", String(7), primary_key=True), at("at_ms")
)
