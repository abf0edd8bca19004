"""The few statements that differ between SQLite and PostgreSQL. Nothing else in the project asks which one runs."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Insert = sqlite.Insert | postgresql.Insert


def insert(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update` on the database in use."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


class Hot:
    """A statement of the hot path: compiled once for each dialect, then run with plain tuples.

    SQLAlchemy's work on each row costs more than SQLite's own; here it is done once. Rows are mappings from column
    name to a value as the driver takes it, so special column types must be converted by the caller.
    """

    def __init__(self, build: Callable[[AsyncConnection], Any]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]] = {}

    async def run(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it for every row, in one round trip. Returns how many rows changed, -1 where the driver cannot tell."""
        if not rows:
            return 0
        known = self._compiled.get(connection.dialect.name)
        if known is None:
            compiled = self._build(connection).compile(dialect=connection.dialect, column_keys=list(rows[0]))
            known = (str(compiled), itemgetter(*compiled.positiontup))
            self._compiled[connection.dialect.name] = known
        text, pick = known
        return (await connection.exec_driver_sql(text, [pick(row) for row in rows])).rowcount
