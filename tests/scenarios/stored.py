"""What a centre holds of one station after a story, and that it is each line once."""

from dataclasses import dataclass

from sqlalchemy import select

from collector.db.engine import Database
from collector.intake.models import events, security_events, streams
from shared.wire.v1 import read_event


@dataclass(frozen=True, slots=True)
class Stored:
    """`texts` of its notes and `seqs` of all its lines, in order; how many each stream has `stored`; the evidence."""

    texts: list[str]
    seqs: list[int]
    stored: list[int]
    evidence: list[str]

    def require_once(self, told: list[str]) -> None:
        """Each line that was told, once, in one stream; nobody held aside or suspected."""
        assert self.texts == told
        assert self.seqs == list(range(1, len(self.seqs) + 1))
        assert self.stored == [len(self.seqs)]
        assert self.evidence == []


async def read_stored(url: str) -> Stored:
    database = Database(url)
    async with database.read() as connection:
        rows = (await connection.execute(select(events.c.seq, events.c.line).order_by(events.c.seq))).all()
        stored = list((await connection.execute(select(streams.c.stored))).scalars())
        evidence = list((await connection.execute(select(security_events.c.kind))).scalars())
    await database.close()
    facts = [read_event(bytes(row.line)) for row in rows]
    texts = [str(each.data["text"]) for each in facts if each.kind == "note"]
    return Stored(texts, [row.seq for row in rows], stored, evidence)
