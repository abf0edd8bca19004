"""The outbox. A row is written in the transaction that changed the ticket and is sent at least once."""

from sqlalchemy import Column, Index, String, Table, Text, text

from collector.db.types import Json, at, district, metadata, number

outbox = Table(
    "outbox",
    metadata,
    district(),
    number("message_id"),
    number("ticket_id", primary=False, nullable=True),
    number("person_id", primary=False, nullable=True),
    Column("channel", String(20), nullable=False),
    Column("address", String(500), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("state", String(20), nullable=False),
    number("tries", primary=False),
    at("created_ms"),
    at("not_before_ms"),
    at("leased_until_ms", nullable=True),
    at("sent_ms", nullable=True),
    Column("error", Text, nullable=False, server_default=""),
)
Index(
    "ix_outbox_pending",
    outbox.c.district_id,
    outbox.c.not_before_ms,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
