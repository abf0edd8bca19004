"""The outbox, the budgets it is emptied within, how each person is reached, and the key of acknowledge links.

A row of the outbox is written in the transaction that changed the ticket and is sent at least once. `rank` is the
order: first message of a ticket, reminders, digests. `wakes` may go out at night. `rest` are the channels and
addresses still to try when this one fails for good, `follows_id` the message that has failed. `digest_id` is the
digest a message was folded into. `set_ms` is when `not_before_ms` was written: if the clock is behind that, it has
been set back. `opened_ms` is the first time somebody, or a preview, opened the acknowledge link.

`reaches.place` is the order a person wants to be tried in, 0 never. `buckets.name` says whose budget it is.
"""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, text

from collector.db.types import Hex, Json, at, district, metadata, number

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
    Column("rank", Integer, nullable=False),
    Column("wakes", Boolean, nullable=False),
    Column("rest", Json, nullable=False),
    number("tries", primary=False),
    number("follows_id", primary=False, nullable=True),
    number("digest_id", primary=False, nullable=True),
    at("created_ms"),
    at("set_ms"),
    at("not_before_ms"),
    at("leased_until_ms", nullable=True),
    at("sent_ms", nullable=True),
    at("delivered_ms", nullable=True),
    at("opened_ms", nullable=True),
    Column("reference", String(100), nullable=False, server_default=""),
    Column("error", Text, nullable=False, server_default=""),
)
Index(
    "ix_outbox_pending",
    outbox.c.district_id,
    outbox.c.not_before_ms,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
Index(
    "ix_outbox_failed",
    outbox.c.district_id,
    outbox.c.message_id,
    postgresql_where=text("state = 'failed'"),
    sqlite_where=text("state = 'failed'"),
)
Index("ix_outbox_ticket", outbox.c.district_id, outbox.c.ticket_id)
Index("ix_outbox_person", outbox.c.district_id, outbox.c.person_id)

buckets = Table(
    "buckets",
    metadata,
    district(),
    Column("name", String(600), primary_key=True),
    Column("tokens", Float, nullable=False),
    at("at_ms"),
    at("blocked_until_ms"),
)

reaches = Table(
    "reaches",
    metadata,
    district(),
    number("person_id"),
    Column("channel", String(20), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("address", String(500), nullable=False),
)

link_keys = Table("link_keys", metadata, district(), Column("key", Hex, nullable=False))
