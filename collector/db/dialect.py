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
    """An INSERT of the hot path, compiled once for each dialect and run many rows a statement.

    SQLAlchemy's work on each row costs more than the database's own; here it is done once. And a driver that is
    handed one row a statement gives up and takes back the interpreter's lock for each, which under load costs more
    than the insert. Rows are mappings from column name to a value as the driver takes it, so special column types
    must be converted by the caller.
    """

    def __init__(self, build: Callable[[AsyncConnection], Any]) -> None:
        self._build = build
        self._texts: dict[tuple[str, int], str] = {}
        self._pick: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = None

    async def run(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert all rows. Returns how many were inserted or changed."""
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            text, pick = self._compile(connection, 1, list(rows[0]))
            return (await connection.exec_driver_sql(text, [pick(row) for row in rows])).rowcount
        changed = 0
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                chunk = rows[start : start + size]
                text, pick = self._compile(connection, size, list(rows[0]))
                values = tuple(value for row in chunk for value in pick(row))
                changed += (await connection.exec_driver_sql(text, values)).rowcount
                start += size
        return changed

    def _compile(
        self, connection: AsyncConnection, size: int, names: list[str]
    ) -> tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
        key = (connection.dialect.name, size)
        if key not in self._texts or self._pick is None:
            rows = [dict.fromkeys(names) for _ in range(size)]
            compiled = self._build(connection).values(rows).compile(dialect=connection.dialect)
            order = [name.removesuffix("_m0") for name in compiled.positiontup[: len(names)]]
            self._texts[key], self._pick = str(compiled), itemgetter(*order)
        return self._texts[key], self._pick


_SIZES = (256, 64, 16, 4, 1)
