"""The few statements that differ between SQLite and PostgreSQL. Nothing else in the project asks which one runs."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Insert = sqlite.Insert | postgresql.Insert


def insert(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update` on the database in use."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
