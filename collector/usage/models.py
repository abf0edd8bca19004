"""What usage keeps. Everything here can be made again from the event log, except what people entered.

Tables the fold merges events into (`courseware`, `stock`, `downloads`, `playbacks`, `tallies`, claims in
`study_sessions`) hold the same rows whatever the order of arrival; `daily` and proposed sessions are worked out of
them for the days that were touched.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, String, Table, Text

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

# One row a move: from `at_ms` on the copy of this file was there (`present`) or gone, until the copy's next move or
# the end of an inventory in which it was missing.
stock = Table(
    "stock",
    metadata,
    district(),
    number("station_id"),
    Column("sha256", Hex, primary_key=True),
    Column("copy", Hex, primary_key=True),
    number("at_ms"),
    at("until_ms", nullable=True),
    Column("present", Boolean, nullable=False),
    Column("title", Text, nullable=False),
    Column("name", Text, nullable=False),
    to_station(),
)

# That a station told its whole inventory from `since_ms` on, to the end at `at_ms`: what is not among it is gone.
inventories = Table(
    "inventories",
    metadata,
    district(),
    number("station_id"),
    number("at_ms"),
    at("since_ms"),
    to_station(),
)

downloads = Table(
    "downloads",
    metadata,
    district(),
    number("station_id"),
    number("month"),
    Column("sha256", Hex, primary_key=True),
    at("at_ms"),
    number("day", primary=False),
    Column("title", Text, nullable=False),
    to_station(),
)
Index("ix_downloads_month", downloads.c.district_id, downloads.c.month, downloads.c.station_id)

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
    at("seen_ms", nullable=True),
    Column("begun", Boolean, nullable=False),
    number("day", primary=False),
    number("month", primary=False),
    Column("reason", String(20), nullable=True),
    Column("content_s", Float, nullable=False),
    Column("played_s", Float, nullable=False),
    Column("segments", Text, nullable=False),
    Column("minutes", Json, nullable=False),
    Column("flags", Json, nullable=False),
    Column("impossible", Boolean, nullable=False),
    Column("uncertain", Boolean, nullable=False),
    Column("session_id", String(80), nullable=True),
    to_station(),
)
Index("ix_playbacks_month", playbacks.c.district_id, playbacks.c.month, playbacks.c.station_id)
Index("ix_playbacks_day", playbacks.c.district_id, playbacks.c.station_id, playbacks.c.day)

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
    Column("uncertain", Boolean, nullable=False),
    Column("replaces", String(80), nullable=True),
    at("voided_ms", nullable=True),
    number("voided_by", primary=False, nullable=True),
    Column("void_reason", Text, nullable=False, server_default=""),
    to_station(),
)
Index("ix_study_sessions_month", study_sessions.c.district_id, study_sessions.c.month, study_sessions.c.station_id)
Index("ix_study_sessions_day", study_sessions.c.district_id, study_sessions.c.station_id, study_sessions.c.day)

# Whole seconds, so that sums are the same in any order.
daily = Table(
    "daily",
    metadata,
    district(),
    number("station_id"),
    number("day"),
    number("month", primary=False),
    number("downloaded", primary=False),
    number("playbacks", primary=False),
    number("impossible", primary=False),
    number("content_s", primary=False),
    number("played_s", primary=False),
    number("e1_s", primary=False),
    number("e2_s", primary=False),
    number("e3_s", primary=False),
    number("e4_s", primary=False),
    number("sessions", primary=False),
    number("proposed", primary=False),
    number("people", primary=False),
    number("visits", primary=False),
    number("uncertain", primary=False),
    at("folded_ms"),
    Column("uncorroborated_s", BigInteger, nullable=False, server_default="0"),
    to_station(),
)
Index("ix_daily_month", daily.c.district_id, daily.c.month, daily.c.station_id)

# Conservation: facts stored and facts declared lost of one stream in one month, counted up to seq `through`.
tallies = Table(
    "tallies",
    metadata,
    district(),
    number("station_id"),
    Column("stream", Hex, primary_key=True),
    number("month"),
    number("stored", primary=False),
    number("lost", primary=False),
    number("through", primary=False),
    at("last_ms", nullable=True),
    to_station(),
)
Index("ix_tallies_month", tallies.c.district_id, tallies.c.month, tallies.c.station_id)
