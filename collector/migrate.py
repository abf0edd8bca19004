"""Brings a database to the newest schema: one Alembic chain for SQLite and PostgreSQL."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from collector.db.engine import Database
from collector.schema import metadata

_SCRIPTS = Path(__file__).parent / "db" / "migrations"


async def migrate(database: Database) -> None:
    """Run every migration this database has not had yet."""
    async with database.write() as connection:
        await connection.run_sync(_upgrade)


async def is_current(database: Database) -> bool:
    """Whether the schema is the newest this program knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    return await get_revision(database) == newest


async def get_revision(database: Database) -> str | None:
    """Revision of the schema in the database; None when it has none."""
    async with database.read() as connection:
        return await connection.run_sync(lambda each: MigrationContext.configure(each).get_current_revision())


def list_revisions() -> set[str]:
    """Every revision this program knows."""
    return {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection=connection, metadata=metadata), "head")


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes.update(attributes)
    return config
