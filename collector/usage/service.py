"""What usage does: fold events into figures, let people confirm study sessions, make the monthly report."""

from uuid import UUID
from zoneinfo import ZoneInfo

from collector.db.engine import Database
from collector.usage.queries import Connection
from collector.usage.reports.base import MonthlyReport
from shared.months import BEIJING


async def fold(database: Database, *, zone: ZoneInfo, now_ms: int, limit: int = 100_000) -> int:
    """Fold stored events into the tables of usage, a station a transaction. Returns how many events were folded.

    Stops after about `limit` events; a result of at least `limit` means there is more to do.
    """
    raise NotImplementedError


async def monthly_report(
    connection: Connection,
    district_id: int,
    month: int,
    *,
    township_id: UUID | None = None,
    now_ms: int,
    zone: ZoneInfo,
) -> MonthlyReport:
    """The report of a township, or of the whole district when `township_id` is None. Raises NotFoundError."""
    raise NotImplementedError


async def confirm(
    connection: Connection,
    district_id: int,
    station_id: int,
    session_id: str,
    *,
    kind: str,
    topic: str,
    people: int,
    visits: int,
    person_id: int,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> None:
    """Turn a proposed session into one that counts.

    Raises NotFoundError, ConflictError when it is no longer proposed, BadInputError with what to write instead.
    """
    raise NotImplementedError


async def void(
    connection: Connection,
    district_id: int,
    station_id: int,
    session_id: str,
    *,
    reason: str,
    person_id: int,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> None:
    """Take a session out of every sum; the row stays with who and why, and its playbacks are not proposed again."""
    raise NotImplementedError


async def correct(
    connection: Connection,
    district_id: int,
    station_id: int,
    session_id: str,
    *,
    kind: str,
    topic: str,
    people: int,
    visits: int,
    reason: str,
    person_id: int,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> str:
    """Void a claimed or confirmed session and put a new row in its place; returns the new session's id."""
    raise NotImplementedError
