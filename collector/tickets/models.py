"""Tickets, their history and photos. One open ticket per fault is enforced by a partial unique index, not by code.

`place` is where, in people's words, as it was called on the day; `step` is the rung of the ladder 1+X (0 plain
operator, 1 backbone operator, 2 township office, 3 neighbour, 4 centre); `part_of` names the area finding that
covers the ticket for now; `chain` is who stood on each rung when it opened; at `due_ms` the ladder's next act is due,
none while it is null. `merged_into` is the ticket a person has put it under: its own ladder rests meanwhile. `helped`
says which hint mended it. A photo is our own JPEG, whatever was uploaded. A change with `told` false still waits for
`alerts` to write its messages (decision 0006).
"""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, Uuid, text

from collector.db.types import Json, at, district, metadata, number

tickets = Table(
    "tickets",
    metadata,
    district(),
    number("ticket_id"),
    Column("dedup_key", String(120), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("rule", String(40), nullable=False),
    Column("category", String(30), nullable=False),
    Column("severity", String(20), nullable=False),
    number("station_id", primary=False, nullable=True),
    Column("area_id", Uuid, nullable=True),
    Column("place", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("step", Integer, nullable=False),
    Column("part_of", String(60), nullable=True),
    Column("version", Integer, nullable=False),
    Column("facts", Json, nullable=False),
    at("since_ms"),
    at("opened_ms"),
    at("acknowledged_ms", nullable=True),
    at("promised_ms", nullable=True),
    at("recovered_ms", nullable=True),
    at("closed_ms", nullable=True),
    number("assignee_id", primary=False, nullable=True),
    number("previous_id", primary=False, nullable=True),
    number("merged_into", primary=False, nullable=True),
    Column("helped", String(20), nullable=True),
    Column("resolution", Json, nullable=True),
    at("due_ms", nullable=True),
    Column("chain", Json, nullable=False),
)
Index(
    "uq_tickets_open",
    tickets.c.district_id,
    tickets.c.dedup_key,
    unique=True,
    postgresql_where=text("open"),
    sqlite_where=text("open"),
)
Index(
    "ix_tickets_due",
    tickets.c.district_id,
    tickets.c.due_ms,
    postgresql_where=text("open"),
    sqlite_where=text("open"),
)
Index("ix_tickets_key", tickets.c.district_id, tickets.c.dedup_key)
Index(
    "ix_tickets_helped",
    tickets.c.district_id,
    tickets.c.rule,
    postgresql_where=text("helped IS NOT NULL"),
    sqlite_where=text("helped IS NOT NULL"),
)
Index("ix_tickets_station", tickets.c.district_id, tickets.c.station_id)

ticket_changes = Table(
    "ticket_changes",
    metadata,
    district(),
    number("ticket_id"),
    number("version"),
    at("at_ms"),
    number("person_id", primary=False, nullable=True),
    Column("action", String(30), nullable=False),
    Column("note", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("told", Boolean, nullable=False),
)
Index(
    "ix_ticket_changes_untold",
    ticket_changes.c.district_id,
    ticket_changes.c.ticket_id,
    postgresql_where=text("NOT told"),
    sqlite_where=text("NOT told"),
)

photos = Table(
    "photos",
    metadata,
    district(),
    number("ticket_id"),
    number("photo_id"),
    number("person_id", primary=False),
    at("at_ms"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("thumb", LargeBinary, nullable=False),
)
