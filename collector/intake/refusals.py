"""Counts the pushes that were refused for who sent them, and leaves a trace of them that cannot fill the disk.

A refusal costs a count in memory, and there are no more counts than stations times problems: whoever names no station
of ours is counted with all others. Each count becomes a line in the audit trail and in the log at once, and again after
an hour at the earliest, whatever a stranger sends.
"""

import logging
from collections import Counter

from collector.areas import queries as areas
from collector.centre import Centre
from collector.db.engine import Connection
from collector.errors import PushRefusedError
from collector.people import queries as people
from collector.stations import queries as stations
from shared import tags
from shared.signing import ALGORITHM, BadSignature, read_claim

log = logging.getLogger("yuanjiao.intake")

HOUR_MS = 3_600_000
AT_ONCE = 50
"""Lines in one transaction: pushes wait for it, on SQLite."""

Sender = tuple[int, int] | None
"""District and number of a station of ours; None for all others."""


class Refusals:
    """One process's counts. Stations are known from the first `write_down` on, new ones from the next."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._counts = Counter[tuple[Sender, str]]()
        self._told_ms: dict[tuple[Sender, str], int] = {}
        self._districts: list[int] = []
        self._stations: frozenset[Sender] = frozenset()

    def count(self, error: PushRefusedError, authorization: str | None) -> None:
        """Remember a refusal, if it was for who sent the push."""
        if error.status in {401, 403}:
            sender = _read_sender(authorization)
            self._counts[sender if sender in self._stations else None, error.problem] += 1

    async def write_down(self, *, is_last: bool = False) -> None:
        """Write down the counts whose hour is over, or all of them when they are to be the last."""
        now_ms = self._centre.now_ms
        if not self._districts or self._counts:
            await self._look_up()
        ripe = [each for each in self._counts if is_last or not 0 <= now_ms - self._told_ms.get(each, 0) < HOUR_MS]
        lines = {each: self._counts[each] for each in (ripe if is_last else ripe[:AT_ONCE])}
        if not lines:
            return
        async with self._centre.database.write() as connection:
            for (sender, problem), count in lines.items():
                await self._record(connection, sender, {"problem": problem, "count": count}, now_ms)
        for (sender, problem), count in lines.items():
            name = "unknown" if sender is None else f"{sender[0]}/{sender[1]}"
            log.warning("push.refused station=%s problem=%s count=%d", name, problem, count)
        self._counts = self._counts - Counter(lines)
        self._told_ms |= dict.fromkeys(lines, now_ms)

    async def close(self) -> None:
        """Write down what is left. A database that is away does not keep the centre from ending."""
        try:
            await self.write_down(is_last=True)
        except Exception as error:  # noqa: BLE001 - the database is away or full, and the centre must still end
            log.warning("push.refusals_lost count=%d error=%s", self._counts.total(), type(error).__name__)

    async def _look_up(self) -> None:
        async with self._centre.database.read() as connection:
            self._districts = [each.district_id for each in await areas.list_districts(connection)]
            known = [await stations.list_stations(connection, each) for each in self._districts]
        self._stations = frozenset((each.district_id, each.station_id) for some in known for each in some)

    async def _record(self, connection: Connection, sender: Sender, detail: dict[str, object], now_ms: int) -> None:
        """A line in the trail of the station's district; who named none of ours concerns every district."""
        number = "unknown" if sender is None else sender[1]
        for district_id in self._districts if sender is None else [sender[0]]:
            await people.record(
                connection,
                district_id,
                person_id=None,
                action="push.refused",
                object_=f"station/{number}",
                now_ms=now_ms,
                detail=detail,
            )


def _read_sender(authorization: str | None) -> Sender:
    try:
        claim = read_claim(authorization, {ALGORITHM, tags.ALGORITHM})
    except BadSignature:
        return None
    district_id, station_id = map(int, claim.station.split("/"))
    return district_id, station_id
