"""What usage keeps. Everything here can be made again from the event log, except what people entered."""

from sqlalchemy import Boolean, Column, Float, Index, String, Table, Text

from collector.db.types import Hex, Json, at, district, metadata, number, to_station

courseware = Table(
    "courseware",
    metadata,
    district(),
    Column("sha256", Hex, primary_key=True),
    Column("title", Text, nullable=False),
    Column("source", String(20), nullable=False),
    number("size", primary=False),
    Column("duration_s", Float, nullable=True),
    at("first_ms"),
)

stock = Table(
    "stock",
    metadata,
    district(),
    number("station_id"),
    Column("sha256", Hex, primary_key=True),
    at("since_ms"),
    Column("title", Text, nullable=False),
    Column("name", Text, nullable=False),
    at("downloaded_ms", nullable=True),
    number("downloaded_month", primary=False, nullable=True),
    at("removed_ms", nullable=True),
    to_station(),
)

playbacks = Table(
    "playbacks",
    metadata,
    district(),
    number("station_id"),
    Column("playback", String(80), primary_key=True),
    Column("sha256", Hex, nullable=True),
    Column("title", Text, nullable=False),
    Column("player", String(40), nullable=False),
    Column("via", String(40), nullable=False),
    at("begin_ms"),
    at("end_ms"),
    number("day", primary=False),
    number("month", primary=False),
    Column("reason", String(20), nullable=True),
    Column("content_s", Float, nullable=False),
    Column("played_s", Float, nullable=False),
    Column("segments", Text, nullable=False),
    Column("minutes", Json, nullable=False),
    Column("flags", Json, nullable=False),
    Column("uncertain", Boolean, nullable=False),
    Column("session_id", String(80), nullable=True),
    to_station(),
)
Index("ix_playbacks_month", playbacks.c.district_id, playbacks.c.month, playbacks.c.station_id)

study_sessions = Table(
    "study_sessions",
    metadata,
    district(),
    number("station_id"),
    Column("session_id", String(80), primary_key=True),
    at("begin_ms"),
    at("end_ms"),
    number("day", primary=False),
    number("month", primary=False),
    Column("kind", String(20), nullable=False),
    Column("topic", Text, nullable=False),
    number("people", primary=False, nullable=True),
    number("visits", primary=False, nullable=True),
    Column("state", String(20), nullable=False),
    Column("source", String(20), nullable=False),
    at("entered_ms"),
    number("person_id", primary=False, nullable=True),
    Column("operator", String(60), nullable=False, server_default=""),
    to_station(),
)
Index("ix_study_sessions_month", study_sessions.c.district_id, study_sessions.c.month, study_sessions.c.station_id)

daily = Table(
    "daily",
    metadata,
    district(),
    number("station_id"),
    number("day"),
    number("month", primary=False),
    number("downloaded", primary=False),
    number("playbacks", primary=False),
    Column("content_s", Float, nullable=False),
    Column("played_s", Float, nullable=False),
    Column("minutes", Json, nullable=False),
    number("sessions", primary=False),
    number("proposed", primary=False),
    number("people", primary=False),
    number("visits", primary=False),
    number("uncertain", primary=False),
    at("folded_ms"),
    to_station(),
)
Index("ix_daily_month", daily.c.district_id, daily.c.month, daily.c.station_id)
