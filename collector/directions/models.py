"""Tables of what stations are directed to do: settings documents by version, and commands."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, String, Table, text

from collector.db.types import Json, at, district, metadata, number, to_station

EVERY_STATION = 0
"""In place of a station: the settings hold for the whole district."""

settings_documents = Table(
    "settings_documents",
    metadata,
    district(),
    number("station_id"),
    number("version", primary=False),
    Column("document", Json, nullable=False),
    number("person_id", primary=False, nullable=True),
    at("changed_ms"),
    ForeignKeyConstraint(["district_id"], ["districts.district_id"]),
)

commands = Table(
    "commands",
    metadata,
    district(),
    number("station_id"),
    Column("command_id", String(16), primary_key=True),
    Column("verb", String(40), nullable=False),
    Column("arguments", Json, nullable=False),
    number("person_id", primary=False, nullable=True),
    at("created_ms"),
    at("expires_ms"),
    at("answered_ms", nullable=True),
    Column("outcome", String(10), nullable=False, server_default=""),
    Column("reason", String(300), nullable=False, server_default=""),
    Column("result", Json, nullable=False),
    to_station(),
)
Index(
    "ix_commands_waiting",
    commands.c.district_id,
    commands.c.station_id,
    postgresql_where=text("answered_ms IS NULL"),
    sqlite_where=text("answered_ms IS NULL"),
)
