"""Opens the database. SQLite: one writer, read-only readers, WAL, FULL. PostgreSQL: a pool.

Every write transaction is BEGIN IMMEDIATE on SQLite and waits its turn behind one lock in the process, so it never
meets `database is locked`; on PostgreSQL transactions run side by side and settle by compare-and-set.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from collector.db.dialect import HANDLE

BUSY_MS = 10_000
WRITER_CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 4_000
"""Every stream grows at a place of its own. With the usual 2 MiB and 1 000 pages the same pages were read and copied
again and again: a push cost a fifth more, and half of that again beside two million events (`bench.growth`)."""

Connection = AsyncConnection
"""One open transaction, as services hand it on."""


def parse_url(url: str) -> URL:
    """Where a database is, taken apart."""
    return make_url(url)


class Database:
    """Readers and writers of one database. Use `write()` for a transaction that changes rows, `read()` otherwise."""

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            self._writer = _sqlite(self.url, size=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite(_read_only(self.url), size=4, begin="BEGIN")
            self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock()
        else:
            self._writer = self._reader = _postgres(self.url)
            self._turn = nullcontext()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """One transaction that may change rows: committed at the end, rolled back on an exception."""
        async with self._turn, self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """One consistent view for reading."""
        async with self._reader.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


def _read_only(url: URL) -> URL:
    return url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})


def _postgres(url: URL) -> AsyncEngine:
    # Compiling a statement that reads a whole table costs more than it saves: a tenth of a second for half a second.
    options = {"server_settings": {"jit": "off"}}
    engine = create_async_engine(url, pool_size=10, max_overflow=10, connect_args=options)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        record.info[HANDLE] = connection.driver_connection

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        # SQLAlchemy itself would begin with its own first statement, and most of ours go past it.
        driver = connection.connection
        driver.run_async(lambda _: driver.dbapi_connection._start_transaction())  # noqa: SLF001 - what it would call then

    return engine


def _sqlite(url: URL, *, size: int, begin: str) -> AsyncEngine:
    pool: dict[str, Any] = {"poolclass": AsyncAdaptedQueuePool, "pool_size": size, "max_overflow": 0}
    engine = create_async_engine(url, pool_reset_on_return=None, **pool)
    writes = begin != "BEGIN"

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions of its own
        record.info[HANDLE] = connection.driver_connection._conn  # noqa: SLF001 - the driver shows it nowhere else
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        if writes:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
            cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        else:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        # One turn of the driver's thread; through a cursor it would be three.
        connection.connection.run_async(lambda driver: driver.execute(begin))

    @event.listens_for(engine.sync_engine, "reset")
    def reset(_connection: Any, record: Any, _state: Any) -> None:
        # Transactions have ended when a connection comes back, and another rollback would be one more turn of the
        # driver's thread. One that could not end goes with its connection.
        if record.info[HANDLE].in_transaction:
            record.invalidate()

    return engine
