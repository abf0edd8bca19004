"""The centre's tables as plain dictionaries, behind the same functions as `collector/intake/queries.py`.

The real `store` and the real writer run on top. A transaction changes nothing before its commit.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.intake.queries import EventRow, Known, LinePlace, StationKey, StreamKey, StreamRow


@dataclass(slots=True)
class Tables:
    """What a disk at the centre holds. `keys`: public key and when it was revoked, by station and key id."""

    keys: dict[StationKey, dict[str, tuple[bytes, int | None]]] = field(default_factory=dict)
    streams: dict[StreamKey, StreamRow] = field(default_factory=dict)
    states: dict[StationKey, dict[str, Any]] = field(default_factory=dict)
    anchors: dict[StationKey, dict[str, int]] = field(default_factory=dict)
    boots: dict[StationKey, dict[str, int]] = field(default_factory=dict)
    held: dict[StationKey, int] = field(default_factory=dict)
    events: dict[LinePlace, dict[str, Any]] = field(default_factory=dict)
    evidence: list[tuple[str, str]] = field(default_factory=list)
    pledges: dict[StreamKey, dict[str, Any]] = field(default_factory=dict)

    def trust_anew(self, station: StationKey) -> None:
        """After an enrolment: nobody is held aside, and whatever lease is shown next is taken."""
        self.held.pop(station, None)
        if station in self.states:
            state = self.states[station]
            last = state.get("lease") or state.get("lease_before")
            self.states[station] = state | {"lease": None, "lease_before": last}

    def copy(self) -> "Tables":
        """A backup. Keys are kept apart, as the office puts them right by hand after a restore."""
        anchors = {station: dict(each) for station, each in self.anchors.items()}
        copied = Tables(self.keys, dict(self.streams), dict(self.states), anchors, events=dict(self.events))
        copied.boots = {station: dict(each) for station, each in self.boots.items()}
        copied.held, copied.evidence, copied.pledges = dict(self.held), list(self.evidence), dict(self.pledges)
        return copied


class BrokenRuleError(Exception):
    """A primary key was used twice."""


@dataclass(slots=True)
class Transaction:
    """What is to be written. `rival` is run once between reading and writing: another replica of the centre."""

    tables: Tables
    rival: Callable[[], None] | None = None
    work: list[Callable[[], None]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def commit(self) -> None:
        for each in self.work:
            each()


def stream_of(row: dict[str, Any]) -> StreamKey:
    return (row["district_id"], row["station_id"], row["stream"].hex())


class Queries:
    """Stands where `collector.intake.service` looks for its SQL."""

    async def get_public_key(
        self, connection: Transaction, district_id: int, station_id: int, key_id: str
    ) -> bytes | None:
        known = connection.tables.keys.get((district_id, station_id), {}).get(key_id)
        return None if known is None else known[0]

    async def list_known(self, connection: Transaction, wanted: Collection[StationKey]) -> dict[StationKey, Known]:
        found = {}
        for station in sorted(wanted):
            valid = [name for name, (_, gone) in connection.tables.keys.get(station, {}).items() if gone is None]
            state = connection.tables.states.get(station, {})
            if valid:
                found[station] = Known(
                    valid[-1],
                    state.get("boot", ""),
                    state.get("mono_ms", -1),
                    state.get("received_ms", 0),
                    lease=state.get("lease"),
                    lease_before=state.get("lease_before") or b"",
                    held_ms=connection.tables.held.get(station),
                    spool_stream=state["spool_stream"].hex() if state else "",
                    spool_last=state.get("spool_last", 0),
                )
        return found

    async def list_streams(self, connection: Transaction, wanted: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
        return {key: connection.tables.streams[key] for key in sorted(wanted) if key in connection.tables.streams}

    async def list_lines(self, connection: Transaction, wanted: Collection[LinePlace]) -> dict[LinePlace, bytes]:
        rows = connection.tables.events
        return {key: rows[key]["line"] for key in sorted(wanted) if key in rows and rows[key]["kind"] != "spool.gap"}

    async def list_anchors(
        self, connection: Transaction, wanted: Collection[StationKey]
    ) -> dict[StationKey, dict[str, int]]:
        return {key: dict(connection.tables.anchors.get(key, {})) for key in sorted(wanted)}

    async def list_boots(
        self, connection: Transaction, wanted: Collection[StationKey]
    ) -> dict[StationKey, dict[str, int]]:
        return {key: dict(connection.tables.boots.get(key, {})) for key in sorted(wanted)}

    async def put_told(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> None:
        """Unknown tails are for pages; nothing here reads them."""

    async def put_pledges(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> None:
        connection.work.append(lambda: connection.tables.pledges.update({stream_of(row): row for row in rows}))

    async def end_unproven(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> None:
        """Which streams still want a pledge is for a job to tell; nothing here reads it."""

    async def hold_stations(self, connection: Transaction, wanted: Collection[StationKey], *, now_ms: int) -> None:
        connection.work.append(lambda: connection.tables.held.update(dict.fromkeys(wanted, now_ms)))

    async def move_streams(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> set[StreamKey]:
        if connection.rival is not None:
            rival, connection.rival = connection.rival, None
            rival()
        moved = set()
        for row in rows:
            key = stream_of(row)
            present = connection.tables.streams.get(key)
            if present is None or present.stored == row["before"]:
                connection.work.append(lambda key=key, row=row: self._move(connection, key, row))  # type: ignore[misc]
                moved.add(key)
        return moved

    async def append_events(self, connection: Transaction, rows: Sequence[EventRow]) -> None:
        fresh = [row._asdict() for row in rows]
        for row in fresh:
            if (*stream_of(row), row["seq"]) in connection.tables.events:
                raise BrokenRuleError(f"{stream_of(row)} has {row['seq']} already")
        connection.work.append(lambda: self._append(connection, fresh))

    async def put_states(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> set[StationKey]:
        newer = {}
        for row in rows:
            key = (row["district_id"], row["station_id"])
            present = connection.tables.states.get(key)
            if present is None or present["boot"] != row["boot"] or present["mono_ms"] < row["mono_ms"]:
                newer[key] = row
        connection.work.append(lambda: connection.tables.states.update(newer))
        return set(newer)

    async def put_anchors(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> None:
        def put() -> None:
            for row in rows:
                mine = connection.tables.anchors.setdefault((row["district_id"], row["station_id"]), {})
                mine.setdefault(row["boot"], row["offset_ms"])
                station = (row["district_id"], row["station_id"])
                connection.tables.boots.setdefault(station, {})[row["boot"]] = row["mono_ms"]

        connection.work.append(put)

    async def add_security_event(self, connection: Transaction, district_id: int, **values: Any) -> None:
        station = f"{district_id}/{values['station_id']}"
        connection.work.append(lambda: connection.tables.evidence.append((station, values["kind"])))

    def _move(self, connection: Transaction, key: StreamKey, row: dict[str, Any]) -> None:
        connection.tables.streams[key] = StreamRow(row["stored"], row["head"])

    def _append(self, connection: Transaction, rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            key = (*stream_of(row), row["seq"])
            connection.tables.events[key] = row
            connection.rows.append(row)
