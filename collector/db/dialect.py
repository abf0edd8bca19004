"""The few statements that differ between SQLite and PostgreSQL. Nothing else in the project asks which one runs.

`Hot`, `Append`, `Find` and `Change` are statements of the hot path: compiled once for each database, run for many rows
at once. SQLAlchemy's work on a statement, and a thread's turn for each call of aiosqlite, cost several times what the
database itself needs. So on PostgreSQL a whole group goes to asyncpg in one piece, as arrays or by COPY. On SQLite the
prepared statement runs on the connection's own handle, in the loop's thread: whoever holds the connection is its only
user, and the beginning and the commit, which wait for the disk, stay with the driver's thread (decision 0024).
"""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Column, ColumnElement, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

Insert = sqlite.Insert | postgresql.Insert
ROWS_AT_ONCE = 100
"""So many rows of a round go into SQLite by one INSERT: a row costs two thirds of what it does alone."""
ROUND = 1000
"""Of fewer rows, as a group of pushes has them, each goes alone: the long statement would cost more than it saves."""
HANDLE = "handle"
"""Under this name a connection's `info` holds the SQLite or asyncpg connection below it."""

Wanted = Mapping[str, ColumnElement[Any]]
Pick = Callable[[Any], Sequence[Any]]


def insert(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update` on the database in use."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def built_once(build: Callable[..., Any]) -> Callable[..., Any]:
    """A statement is built once for each database and each further argument: an upsert costs more to build than to run.

    `build` is given the connection first.
    """
    known: dict[tuple[Any, ...], Any] = {}

    @wraps(build)
    def find(connection: AsyncConnection, *args: Any) -> Any:
        key = (connection.dialect.name, *args)
        if key not in known:
            known[key] = build(connection, *args)
        return known[key]

    return find


class Hot:
    """An INSERT of many rows: mappings from column name to a value, or values alone in the order of `columns`.

    Values are as the driver takes them: special column types must be converted by the caller.
    """

    def __init__(self, build: Callable[[AsyncConnection], Any], columns: Sequence[str] | None = None) -> None:
        self._build = build
        self._columns = columns
        self._known: dict[tuple[str, ...], tuple[str, str, Pick | None]] = {}

    async def run(self, connection: AsyncConnection, rows: Sequence[Any]) -> int:
        """Insert all rows, which have the same columns. Returns how many were inserted or changed."""
        if not rows:
            return 0
        one, many, pick = self._compile(connection, tuple(self._columns or rows[0]))
        handle, values = connection.info[HANDLE], map(pick, rows) if pick else iter(rows)
        if not isinstance(handle, sqlite3.Connection):
            return _count(await handle.execute(many, *_turn(values)))
        turns = len(rows) // ROWS_AT_ONCE if len(rows) >= ROUND else 0
        blocks = (list(chain.from_iterable(islice(values, ROWS_AT_ONCE))) for _ in range(turns))
        return handle.executemany(many, blocks).rowcount + handle.executemany(one, values).rowcount

    def _compile(self, connection: AsyncConnection, names: tuple[str, ...]) -> tuple[str, str, Pick | None]:
        """The statement for one row, for as many as go at once, and what brings a row into order, if it is not."""
        key = (connection.dialect.name, *names)
        if key not in self._known:
            statement = self._build(connection)
            if connection.dialect.name == "sqlite":
                statement = statement.values(dict.fromkeys(names))
            else:
                fresh = _unnest("fresh", [statement.table.c[name] for name in names])
                statement = statement.from_select(list(names), select(*fresh.values()))
            one, pick = _finish(connection, statement, self._columns)
            # Compiling so many rows would cost more than the first hundreds of them; PostgreSQL has no such places.
            places = f"({', '.join('?' * len(names))})"
            is_in_order = self._columns is not None and pick(self._columns) == tuple(self._columns)
            many = one.replace(places, ", ".join([places] * ROWS_AT_ONCE), 1)
            self._known[key] = one, many, None if is_in_order else pick
        return self._known[key]


class Append(Hot):
    """An INSERT of rows that are new for certain: on PostgreSQL a COPY, at half the cost."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        super().__init__(lambda _: table.insert(), columns)
        self._name = table.name

    async def run(self, connection: AsyncConnection, rows: Sequence[Any]) -> int:
        handle = connection.info[HANDLE]
        if not rows or isinstance(handle, sqlite3.Connection):
            return await super().run(connection, rows)
        return _count(await handle.copy_records_to_table(self._name, columns=self._columns, records=rows))


class _Keyed:
    """A statement over many rows of values. `columns` are what a row consists of; `build` is given them to use.

    Special column types are not converted, neither in these values nor in what is found.
    """

    def __init__(self, columns: Sequence[Column[Any]], build: Callable[[Wanted], Any]) -> None:
        self._columns = columns
        self._build = build
        self._known: dict[str, tuple[str, Pick]] = {}

    def _compile(self, connection: AsyncConnection) -> tuple[str, Pick]:
        name = connection.dialect.name
        if name not in self._known:
            wanted: Wanted = {each.name: bindparam(each.name, type_=each.type) for each in self._columns}
            statement = self._build(wanted if name == "sqlite" else _unnest("wanted", self._columns))
            self._known[name] = _finish(connection, statement, [each.name for each in self._columns])
        return self._known[name]


class Change(_Keyed):
    """An UPDATE of many rows: each row of values names what it changes, and to what."""

    async def run(self, connection: AsyncConnection, rows: Sequence[Sequence[Any]]) -> int:
        """Change all of them. Returns how many there were."""
        if not rows:
            return 0
        text, pick = self._compile(connection)
        handle = connection.info[HANDLE]
        if isinstance(handle, sqlite3.Connection):
            return handle.executemany(text, map(pick, rows)).rowcount
        return _count(await handle.execute(text, *_turn(map(pick, rows))))


class Find(_Keyed):
    """A SELECT for many keys at once."""

    async def run(self, connection: AsyncConnection, wanted: Collection[Sequence[Any]]) -> Sequence[Any]:
        """The rows for all these keys, in no certain order."""
        if not wanted:
            return []
        text, pick = self._compile(connection)
        handle = connection.info[HANDLE]
        if isinstance(handle, sqlite3.Connection):
            cursor = handle.cursor()
            return [row for key in wanted for row in cursor.execute(text, pick(key))]
        return list(await handle.fetch(text, *_turn(map(pick, wanted))))


def read_json(value: Any) -> Any:
    """A JSON value as these statements find it: only asyncpg has read it already."""
    return from_json(value) if isinstance(value, str) else value


def write_json(value: Any) -> str:
    """A JSON value as these statements take it."""
    return to_json(value).decode()


class member(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """The JSON text of one member of a column that holds an object as JSON text; null when it has none."""

    type = Text()
    inherit_cache = True


@compiles(member, "sqlite")
def _member_in_sqlite(element: member, compiler: Any, **options: Any) -> str:
    document, name = element.clauses
    return f"json_extract({compiler.process(document, **options)}, '$.' || {compiler.process(name, **options)})"


@compiles(member, "postgresql")
def _member_in_postgres(element: member, compiler: Any, **options: Any) -> str:
    document, name = element.clauses
    return f"CAST({compiler.process(document, **options)} AS JSON) ->> {compiler.process(name, **options)}"


def _unnest(name: str, columns: Sequence[Column[Any]]) -> Wanted:
    """Arrays, handed in as parameters, as the columns of a table."""
    arrays = [cast(bindparam(each.name), postgresql.ARRAY(_plain(each))) for each in columns]
    rows = func.unnest(*arrays).table_valued(*[column(each.name, each.type) for each in columns], name=name)
    return dict(rows.render_derived().c)


def _plain(each: Column[Any]) -> Any:
    return each.type.impl_instance if isinstance(each.type, TypeDecorator) else each.type


def _finish(connection: AsyncConnection, statement: Any, names: Sequence[str] | None = None) -> tuple[str, Pick]:
    """The text, and what brings a row into the order of its parameters: by name, or by its place in `names`."""
    compiled = statement.compile(dialect=connection.dialect)
    order = [names.index(each) if names else each for each in compiled.positiontup]
    pick: Pick = itemgetter(*order) if len(order) > 1 else lambda row: (row[order[0]],)
    return str(compiled), pick


def _turn(rows: Any) -> tuple[list[Any], ...]:
    """Rows as columns."""
    return tuple(map(list, zip(*rows, strict=True)))


def _count(told: str) -> int:
    """How many rows a statement has touched, from what PostgreSQL says of it, as in "INSERT 0 64" or "COPY 320"."""
    return int(told.rpartition(" ")[2])
