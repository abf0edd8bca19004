"""Stretches of every station's time line, and until when the centre itself has been listening.

A stretch lasts from `from_ms` to `to_ms`, the present one is open (null). `checked`: nothing the station may still
bring will change it; a stretch of silence is not checked until the station is back with its records of boots.
"""

from sqlalchemy import Boolean, Column, Index, String, Table, text

from collector.db.types import at, district, metadata, number, to_station

stretches = Table(
    "stretches",
    metadata,
    district(),
    number("station_id"),
    number("from_ms"),
    at("to_ms", nullable=True),
    Column("presence", String(10), nullable=False),
    Column("checked", Boolean, nullable=False),
    to_station(),
)
Index(
    "uq_stretches_open",
    stretches.c.district_id,
    stretches.c.station_id,
    unique=True,
    postgresql_where=text("to_ms IS NULL"),
    sqlite_where=text("to_ms IS NULL"),
)
Index(
    "ix_stretches_unchecked",
    stretches.c.district_id,
    stretches.c.station_id,
    postgresql_where=text("NOT checked"),
    sqlite_where=text("NOT checked"),
)
Index("ix_stretches_to", stretches.c.district_id, stretches.c.to_ms)

hearings = Table("hearings", metadata, district(), at("until_ms"))
