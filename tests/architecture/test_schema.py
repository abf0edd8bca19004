"""The schema can be spread over districts: `district_id` leads every key, and one chain makes it on both databases."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, Integer, Table, inspect, text
from sqlalchemy.schema import ColumnCollectionConstraint

from collector.db.engine import Database
from collector.migrate import SchemaAge, compare_schema, migrate
from collector.schema import metadata

TABLES = {table.name: table for table in metadata.sorted_tables}
REFERENCE = {name for name, table in TABLES.items() if "reference" in table.info}
OF_DISTRICTS = sorted(set(TABLES) - REFERENCE)
FIRST = "district_id"


FOREIGN = {
    "sequences": "SELECT relname FROM pg_class WHERE relkind = 'S'",
    "identities": "SELECT attrelid::regclass FROM pg_attribute WHERE attidentity <> ''",
    "arrays": (
        "SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE attndims > 0 AND relnamespace = 'public'::regnamespace"
    ),
}
"""What PostgreSQL would say of things a cluster of districts cannot have."""


def list_keys(table: Table) -> Iterable[tuple[str, list[str]]]:
    """Every primary, unique and foreign key and every index of a table, with its columns in order."""
    for constraint in table.constraints:
        if isinstance(constraint, ColumnCollectionConstraint) and constraint.columns:
            yield type(constraint).__name__, [column.name for column in constraint.columns]
    for index in table.indexes:
        yield str(index.name), [getattr(each, "name", str(each)) for each in index.expressions]


@pytest.mark.parametrize("name", OF_DISTRICTS)
def test_district_id_leads_every_key_and_index(name: str) -> None:
    odd = [(key, columns) for key, columns in list_keys(TABLES[name]) if columns[0] != FIRST]

    assert odd == []


@pytest.mark.parametrize("name", OF_DISTRICTS)
def test_a_foreign_key_stays_inside_its_district(name: str) -> None:
    keys = [each for each in TABLES[name].constraints if isinstance(each, ForeignKeyConstraint)]

    assert all(each.elements[0].column.name == FIRST for each in keys)
    assert all((each.ondelete, each.onupdate) == (None, None) for each in keys)


@pytest.mark.parametrize("name", OF_DISTRICTS)
def test_district_id_is_the_first_column_and_never_empty(name: str) -> None:
    first = next(iter(TABLES[name].columns))

    assert (first.name, first.nullable, first.primary_key) == (FIRST, False, True)


def test_numbers_are_counted_by_us_and_not_by_sequences() -> None:
    columns: list[Column[Any]] = [column for table in TABLES.values() for column in table.columns]

    assert [f"{each.table.name}.{each.name}" for each in columns if each.autoincrement is True or each.identity] == []
    assert metadata._sequences == {}
    assert [each.name for each in columns if each.primary_key and isinstance(each.type, Integer)] != []


def test_columns_are_of_types_both_databases_have() -> None:
    columns: list[Column[Any]] = [column for table in TABLES.values() for column in table.columns]
    kinds = {type(column.type).__name__ for column in columns}

    assert kinds <= {
        "BigInteger",
        "Integer",
        "Boolean",
        "Float",
        "String",
        "Text",
        "LargeBinary",
        "Uuid",
        "JSON",
        "Hex",
    }


def test_only_small_shared_tables_are_without_a_district() -> None:
    assert {"job_runs"} == REFERENCE
    assert all(TABLES[name].info["reference"] for name in REFERENCE)


def test_moments_are_whole_milliseconds_and_nothing_asks_the_database_for_the_time() -> None:
    columns: list[Column[Any]] = [column for table in TABLES.values() for column in table.columns]
    moments = [column for column in columns if column.name.endswith("_ms")]

    assert {str(column.type) for column in moments} == {"BIGINT"}
    assert {str(column.type) for column in columns} & {"DATETIME", "DATE", "TIME", "TIMESTAMP", "INTERVAL"} == set()
    assert [column.name for column in columns if "now" in str(getattr(column.server_default, "arg", "")).lower()] == []


def test_heartbeats_move_no_index() -> None:
    """Every heartbeat writes this row; an index on what it changes would cost more than the row."""
    assert TABLES["station_states"].indexes == set()


def test_one_open_ticket_a_fault_is_enforced_by_the_database() -> None:
    open_ticket: Index = next(each for each in TABLES["tickets"].indexes if each.name == "uq_tickets_open")

    assert open_ticket.unique
    assert [each.name for each in open_ticket.columns] == [FIRST, "dedup_key"]


def test_there_is_one_chain_of_migrations() -> None:
    script = ScriptDirectory("collector/db/migrations")

    assert len(script.get_heads()) == 1
    assert [len(each.nextrev) for each in script.walk_revisions() if not each.is_head] == [
        1 for each in script.walk_revisions() if not each.is_head
    ]


def test_what_the_migrations_make_is_what_the_models_say(database_url: str) -> None:
    assert asyncio.run(ask(database_url, differences)) == []


def test_a_table_that_no_model_knows_is_noticed(database_url: str) -> None:
    assert asyncio.run(ask_after(database_url, "CREATE TABLE stray (id INTEGER)", differences)) != []


@pytest.mark.parametrize("query", ["sequences", "identities", "arrays"])
def test_postgresql_was_given_nothing_a_cluster_cannot_have(postgres_url: str, query: str) -> None:
    assert asyncio.run(ask(postgres_url, lambda connection: connection.execute(text(FOREIGN[query])).all())) == []


def test_a_trigger_is_noticed(sqlite_url: str) -> None:
    made = "CREATE TRIGGER stray AFTER DELETE ON stations BEGIN SELECT 1; END"

    assert asyncio.run(ask_after(sqlite_url, made, triggers)) == ["stray"]


def test_no_trigger_works_behind_our_back(database_url: str) -> None:
    assert asyncio.run(ask(database_url, triggers)) == []


def test_a_migrated_database_is_current_and_migrating_it_again_changes_nothing(database_url: str) -> None:
    async def again() -> SchemaAge:
        database = Database(database_url)
        await migrate(database)
        age = await compare_schema(database)
        await database.close()
        return age

    assert asyncio.run(again()) is SchemaAge.CURRENT


async def ask(url: str, question: Any) -> Any:
    """Put a synchronous question to a database."""
    database = Database(url)
    async with database.read() as connection:
        answer = await connection.run_sync(question)
    await database.close()
    return answer


async def ask_after(url: str, statement: str, question: Any) -> Any:
    database = Database(url)
    async with database.write() as connection:
        await connection.execute(text(statement))
    await database.close()
    return await ask(url, question)


def differences(connection: Connection) -> list[Any]:
    """What Alembic would have to change to make the database as the models say. Partitions belong to their table."""
    partitions = {name for name in inspect(connection).get_table_names() if name.startswith("events_")}
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_name": lambda name, kind, _parents: not (kind == "table" and name in partitions),
        },
    )
    return list(compare_metadata(context, metadata))


def triggers(connection: Connection) -> list[str]:
    """Names of the triggers people wrote; the ones PostgreSQL keeps for foreign keys are internal."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }[connection.dialect.name]
    return [str(row[0]) for row in connection.execute(text(query))]
