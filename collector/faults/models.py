"""Findings that hold now. `subject` is `station/17` or `area/<uuid>`; `clear_since_ms` starts the closing wait."""

from sqlalchemy import Boolean, Column, String, Table

from collector.db.types import Json, at, district, metadata, number

findings = Table(
    "findings",
    metadata,
    district(),
    Column("subject", String(60), primary_key=True),
    Column("rule", String(40), primary_key=True),
    number("station_id", primary=False, nullable=True),
    at("since_ms"),
    at("seen_ms"),
    at("clear_since_ms", nullable=True),
    Column("open", Boolean, nullable=False),
    Column("facts", Json, nullable=False),
)
