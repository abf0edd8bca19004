"""Tables of people, their absences, sign-in sessions and the audit trail. Only hashes of secrets are stored.

`skills` are categories of faults a person is good at, `more_areas` townships answered for besides `area_id`, `duty`
the weekdays on duty (1 is Monday; none means every day), `duties` what has been laid down in writing. Days are texts,
2026-09-10, so that they compare as they read.
"""

from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer, String, Table, Text, Uuid

from collector.db.types import Json, at, district, metadata, number

people = Table(
    "people",
    metadata,
    district(),
    number("person_id"),
    Column("name", String(60), nullable=False),
    Column("account", String(60), nullable=True),
    Column("phone", String(30), nullable=False, server_default=""),
    Column("email", String(200), nullable=False, server_default=""),
    Column("webhook", String(500), nullable=False, server_default=""),
    Column("role", String(20), nullable=False),
    Column("area_id", Uuid, nullable=True),
    number("station_id", primary=False, nullable=True),
    Column("password_hash", String(200), nullable=True),
    Column("language", String(5), nullable=False, server_default="zh"),
    Column("skills", Json, nullable=True),
    Column("more_areas", Json, nullable=True),
    Column("duty", Json, nullable=True),
    Column("duties", Text, nullable=False, server_default=""),
    Column("version", Integer, nullable=False, server_default="1"),
    at("created_ms"),
    at("disabled_ms", nullable=True),
    ForeignKeyConstraint(["district_id"], ["districts.district_id"]),
)
Index("uq_people_account", people.c.district_id, people.c.account, unique=True)

absences = Table(
    "absences",
    metadata,
    district(),
    number("person_id"),
    number("absence_id"),
    Column("from_day", String(10), nullable=False),
    Column("to_day", String(10), nullable=False),
    Column("reason", String(200), nullable=False),
    ForeignKeyConstraint(["district_id", "person_id"], ["people.district_id", "people.person_id"]),
)
Index("ix_absences_to_day", absences.c.district_id, absences.c.to_day)

web_sessions = Table(
    "web_sessions",
    metadata,
    district(),
    Column("token_hash", String(64), primary_key=True),
    number("person_id", primary=False),
    Column("csrf", String(64), nullable=False),
    at("created_ms"),
    at("seen_ms"),
    at("expires_ms"),
    ForeignKeyConstraint(["district_id", "person_id"], ["people.district_id", "people.person_id"]),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    district(),
    Column("token_hash", String(64), primary_key=True),
    number("person_id", primary=False),
    at("expires_ms"),
    at("used_ms", nullable=True),
    ForeignKeyConstraint(["district_id", "person_id"], ["people.district_id", "people.person_id"]),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    district(),
    Column("account", String(60), primary_key=True),
    number("failures", primary=False),
    at("until_ms"),
)

audit = Table(
    "audit",
    metadata,
    district(),
    number("entry_id"),
    at("at_ms"),
    number("person_id", primary=False, nullable=True),
    Column("action", String(60), nullable=False),
    Column("object", String(200), nullable=False),
    Column("detail", Json, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
)
