"""Tables of stations, keys, enrolment codes and the state row.

`station_states` carries no index on its heartbeat columns, so that PostgreSQL keeps its updates HOT; overdue
stations are found by a scan. Its `spool_last` counts in `spool_stream`, the stream the station writes to.
`lease` is the newest one given, `lease_before` the newest one shown; `lease` null: whatever is shown is taken, and
`lease_before` is the last one given. `held_ms`: two machines have shown themselves as this station, and nothing is
taken until a person decides. The `mono_ms` of a boot is the last one heard, up to date once another boot has followed.
A key is to be rotated after `rotate_ms`; `revoked_ms` may lie ahead, while its successor is new.
`lost_ms`: from then on, until it was revoked, somebody else may have had it.
"""

from sqlalchemy import Column, ForeignKeyConstraint, Index, LargeBinary, String, Table, Text, Uuid

from collector.db.types import Hex, at, district, metadata, number, to_station

stations = Table(
    "stations",
    metadata,
    district(),
    number("station_id"),
    Column("area_id", Uuid, nullable=False),
    Column("name", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    at("created_ms"),
    at("enrolled_ms", nullable=True),
    at("retired_ms", nullable=True),
    ForeignKeyConstraint(["district_id", "area_id"], ["areas.district_id", "areas.area_id"]),
)
Index("ix_stations_area", stations.c.district_id, stations.c.area_id)

station_keys = Table(
    "station_keys",
    metadata,
    district(),
    number("station_id"),
    Column("key_id", String(16), primary_key=True),
    Column("algorithm", String(20), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    at("created_ms"),
    at("rotate_ms"),
    at("revoked_ms", nullable=True),
    at("lost_ms", nullable=True),
    to_station(),
)

enrolment_codes = Table(
    "enrolment_codes",
    metadata,
    district(),
    Column("lookup", String(4), primary_key=True),
    number("station_id", primary=False),
    Column("secret_hash", String(200), nullable=False),
    at("created_ms"),
    at("expires_ms"),
    number("tries", primary=False),
    at("used_ms", nullable=True),
    Column("used_key_id", String(16), nullable=True),
    to_station(),
)

station_states = Table(
    "station_states",
    metadata,
    district(),
    number("station_id"),
    Column("stream", Hex, nullable=False),
    Column("boot", String(36), nullable=False),
    number("mono_ms", primary=False),
    at("wall_ms"),
    at("received_ms"),
    at("first_received_ms"),
    Column("spool_stream", Hex, nullable=False),
    number("spool_last", primary=False),
    Column("lease", LargeBinary, nullable=True),
    Column("lease_before", LargeBinary, nullable=True),
    at("held_ms", nullable=True),
    Column("heartbeat", Text, nullable=False),
    to_station(),
    postgresql_with={"fillfactor": 50},
)

boots = Table(
    "boots",
    metadata,
    district(),
    number("station_id"),
    Column("boot", String(36), primary_key=True),
    at("offset_ms"),
    number("mono_ms", primary=False),
    at("anchored_ms"),
    to_station(),
)
