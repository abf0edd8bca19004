"""Brings a database to the newest schema: one Alembic chain for SQLite and PostgreSQL.

A migration only adds, so that processes of the version before go on working beside it (decision 0030).
"""

from enum import StrEnum
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from collector.db.engine import Database
from collector.errors import SetupError
from collector.schema import metadata

_SCRIPTS = Path(__file__).parent / "db" / "migrations"
_NEWER = (
    "数据库已经由更新的版本升级过（{revision}），这个程序最新只认识 {newest}。数据没有改动。"
    "请换用更新的程序；如果一定要用旧程序，请恢复升级前的备份：yuanjiao-collector restore 备份文件"
)
_BUSY = "要修改的表正被别的工作占用（例如正在备份）。什么都没有改动；请过几分钟再运行：yuanjiao-collector migrate"
_LOCK_WAIT = "5s"
_LOCK_NOT_AVAILABLE = "55P03"


class SchemaAge(StrEnum):
    """How the schema of a database stands to this program."""

    NONE = "none"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


async def migrate(database: Database, *, to: str = "head") -> None:
    """Run every migration this database has not had yet, all or none.

    Raises SetupError for a database of a newer program, and when it would have to wait for a table: whoever comes
    after it, every push among them, would wait behind it.
    """
    try:
        async with database.write() as connection:
            _require_known(await connection.run_sync(_read_revision))
            if not database.is_sqlite:
                await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
            await connection.run_sync(_upgrade, to)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise SetupError(_BUSY) from error


async def compare_schema(database: Database) -> SchemaAge:
    revision = await get_revision(database)
    if revision is None:
        return SchemaAge.NONE
    if revision == _newest():
        return SchemaAge.CURRENT
    return SchemaAge.OLDER if revision in list_revisions() else SchemaAge.NEWER


async def require_current(database: Database) -> None:
    """Raises SetupError, with what to do, unless the schema is the one this program was written for."""
    revision = await get_revision(database)
    _require_known(revision)
    if revision is None:
        raise SetupError("数据库还没有建立。首次使用请先运行：yuanjiao-collector init")
    if revision != _newest():
        raise SetupError("数据库版本较旧。请先运行：yuanjiao-collector migrate")


async def get_revision(database: Database) -> str | None:
    """Revision of the schema in the database; None when it has none."""
    async with database.read() as connection:
        return await connection.run_sync(_read_revision)


def list_revisions() -> set[str]:
    """Every revision this program knows."""
    return {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def _require_known(revision: str | None) -> None:
    if revision is not None and revision not in list_revisions():
        raise SetupError(_NEWER.format(revision=revision, newest=_newest()))


def _read_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _upgrade(connection: Connection, to: str) -> None:
    command.upgrade(_config(connection=connection, metadata=metadata), to)


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes.update(attributes)
    return config
