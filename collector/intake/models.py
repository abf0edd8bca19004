"""The event log, the streams that number it, and the evidence of events that would not fit.

Event key: `(district, station, stream, seq, month)`; `month` comes from the immutable line (partition key), the
month that counts for reports is `booked_month`. A stream's `before` is where it stood before its last move: an upsert
that expects another place changes nothing, which is the compare-and-set. `told` is how far the station said it had
written when it left the stream, at `left_ms`; what lies between `stored` and that is its unknown tail. Every line is
stored; `refused` says why one is not read further. `unproven_ms`: since when a stream has lines that came with a tag
and that no signature of the station covers yet. The newest pledge of a stream is `right` or not once it was checked.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text

from collector.db.types import Hex, at, district, metadata, number, to_station

streams = Table(
    "streams",
    metadata,
    district(),
    number("station_id"),
    Column("stream", Hex, primary_key=True),
    number("stored", primary=False),
    Column("before", BigInteger, nullable=False, server_default="0"),
    Column("head", Hex, nullable=False),
    number("folded", primary=False),
    Column("told", BigInteger, nullable=False, server_default="0"),
    at("left_ms", nullable=True),
    at("opened_ms"),
    at("unproven_ms", nullable=True),
    to_station(),
    postgresql_with={"fillfactor": 50},
)

pledges = Table(
    "pledges",
    metadata,
    district(),
    number("station_id"),
    Column("stream", Hex, primary_key=True),
    number("seq", primary=False),
    Column("head", LargeBinary, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    at("received_ms"),
    Column("right", Boolean, nullable=True),
    to_station(),
)

events = Table(
    "events",
    metadata,
    district(),
    number("station_id"),
    Column("stream", Hex, primary_key=True),
    number("seq"),
    number("month"),
    Column("kind", String(60), nullable=False),
    at("at_ms"),
    at("booked_ms"),
    number("booked_month", primary=False),
    Column("uncertain", Boolean, nullable=False),
    at("received_ms"),
    Column("line", LargeBinary, nullable=False),
    Column("refused", Text, nullable=True),
    postgresql_partition_by="RANGE (month)",
)

security_events = Table(
    "security_events",
    metadata,
    district(),
    number("event_id"),
    number("station_id", primary=False, nullable=True),
    at("at_ms"),
    Column("kind", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=True),
)
Index("ix_security_events_station", security_events.c.district_id, security_events.c.station_id)
