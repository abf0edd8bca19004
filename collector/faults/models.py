"""Findings that hold now, how often courseware used to come, how links have shaken, and what the books say.

`subject` is `station/17` or `area/<uuid>`. `since_ms` is when the fault began, `found_ms` when a rule first saw it
(the opening wait runs from there), `clear_since_ms` starts the closing wait. `symptom_of` names the area finding
that covers this one: state is kept, tickets and messages are not made.

`tracks` has a row only for a link that has changed lately (`collector.faults.links`); `pasts` what usage knows of a
station, looked up now and then, for rules that judge weeks (`collector.faults.rules.base.Past`).

`outages` are power cuts and maintenance people have told us of, for one station or for an area; one that repeats
does so every `every_days`.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, Uuid

from collector.db.types import Json, at, district, metadata, number, to_station

findings = Table(
    "findings",
    metadata,
    district(),
    Column("subject", String(60), primary_key=True),
    Column("rule", String(40), primary_key=True),
    number("station_id", primary=False, nullable=True),
    at("since_ms"),
    at("found_ms"),
    at("clear_since_ms", nullable=True),
    Column("open", Boolean, nullable=False),
    Column("category", String(30), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("symptom_of", String(60), nullable=True),
    Column("facts", Json, nullable=False),
)

outages = Table(
    "outages",
    metadata,
    district(),
    number("outage_id"),
    Column("kind", String(20), nullable=False),
    number("station_id", primary=False, nullable=True),
    Column("area_id", Uuid, nullable=True),
    at("from_ms"),
    at("to_ms"),
    number("every_days", primary=False, nullable=True),
    Column("note", Text, nullable=False),
    number("person_id", primary=False, nullable=True),
    at("created_ms"),
    at("cancelled_ms", nullable=True),
)
Index("ix_outages_from", outages.c.district_id, outages.c.from_ms)

arrivals = Table(
    "arrivals",
    metadata,
    district(),
    number("station_id"),
    at("last_ms"),
    Column("gaps", Json, nullable=False),
    to_station(),
)

tracks = Table(
    "tracks",
    metadata,
    district(),
    number("station_id"),
    Column("lost", Boolean, nullable=False),
    Column("ring", Integer, nullable=False),
    number("look", primary=False),
    Column("cuts", Integer, nullable=False),
    at("since_ms"),
    to_station(),
)

pasts = Table(
    "pasts",
    metadata,
    district(),
    number("station_id"),
    at("used_ms", nullable=True),
    number("plays", primary=False),
    number("failed", primary=False),
    number("lost", primary=False),
    at("lost_ms", nullable=True),
    Column("missing", Json, nullable=False),
    number("absent_ms", primary=False),
    Column("unused_absent_ms", BigInteger, nullable=False, server_default="0"),
    to_station(),
)
