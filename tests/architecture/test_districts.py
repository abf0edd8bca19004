"""Statements have one home, and each that touches a district's rows says which district: so a cluster can route it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "collector").rglob("*.py"))
HOMES = [path for path in SOURCES if path.name.endswith("queries.py")]
MAKERS = {
    "select",
    "insert",
    "update",
    "delete",
    "text",
    "union",
    "union_all",
    "exists",
    "func",
    "table",
    "literal_column",
}
ASKING = {"select", "update", "delete"}
JOINS = {"join", "outerjoin", "join_from"}

# Each exemption says why; one that is no longer needed fails the tests below.
AWAY = {
    "collector/alerts/models.py": "the condition of a partial index",
    "collector/directions/models.py": "the condition of a partial index",
    "collector/tickets/models.py": "the condition of a partial index",
    "collector/timeline/models.py": "the conditions of partial indexes",
    "collector/db/claims.py": "slots of jobs, the one table without a district",
    "collector/db/dialect.py": "what differs between the databases",
    "collector/db/presence.py": "slots of jobs, the one table without a district",
}
NAMELESS = {
    ("collector/overview/queries.py", "count_stations"): "`_from` names it",
    ("collector/overview/queries.py", "list_cells"): "`_from` names it",
    ("collector/people/queries.py", "end_sessions_before"): "tidies up by time in all districts, a shard at a time",
    ("collector/stations/queries.py", "_states"): "columns only; whoever calls it names it",
    ("collector/tickets/queries.py", "select_tickets"): "columns only; whoever calls it names it",
    ("collector/tickets/queries.py", "_changes"): "columns only; whoever calls it names it",
    ("collector/storage/queries.py", "list_stray_months"): "partitions of PostgreSQL, which hold all districts",
    ("collector/storage/queries.py", "add_month"): "partitions of PostgreSQL, which hold all districts",
    ("collector/storage/queries.py", "has_unfolded"): "partitions of PostgreSQL, which hold all districts",
    ("collector/storage/queries.py", "drop_detached"): "partitions of PostgreSQL, which hold all districts",
}
LOOSE = {
    ("collector/storage/queries.py", "select(part.c.seq).join"): "`_same_stream` names it",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def list_made(tree: ast.Module) -> set[str]:
    """Makers of statements that a module takes from SQLAlchemy."""
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {each.name for node in taken if (node.module or "").startswith("sqlalchemy") for each in node.names} & MAKERS


def list_nameless(tree: ast.Module) -> Iterator[str]:
    """Functions that ask or change without a word of a district."""
    for each in tree.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [node.func for node in ast.walk(each) if isinstance(node, ast.Call)]
            asks = any(isinstance(call, ast.Name) and call.id in ASKING for call in calls)
            if asks and "district_id" not in ast.unparse(each):
                yield each.name


def list_loose(tree: ast.Module) -> Iterator[str]:
    """Joins whose condition does not say that both sides are of one district."""
    meanings = {
        target.id: ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in JOINS):
            continue
        said = [node for each in [*call.args[1:], *[kw.value for kw in call.keywords]] for node in ast.walk(each)]
        words = [meanings.get(node.id, node.id) if isinstance(node, ast.Name) else ast.unparse(node) for node in said]
        if not isinstance(call.func.value, ast.Constant) and not any("district_id" in word for word in words):
            yield f"{ast.unparse(call.func.value)[-40:]}.{call.func.attr}"


def read(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def test_statements_are_made_in_their_homes_alone() -> None:
    away = {
        name_of(path)
        for path in SOURCES
        if path not in HOMES and "migrations" not in path.parts and list_made(read(path))
    }

    assert away == set(AWAY)


def test_every_function_that_asks_names_a_district() -> None:
    assert {(name_of(path), name) for path in HOMES for name in list_nameless(read(path))} == set(NAMELESS)


def test_every_join_stays_in_its_district() -> None:
    assert {(name_of(path), name) for path in HOMES for name in list_loose(read(path))} == set(LOOSE)


def test_there_are_homes_to_look_at() -> None:
    assert len(HOMES) > 15


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    return select(stations.c.name).where(stations.c.station_id == 1)",
        "async def f(c):\n    await c.execute(delete(stations))",
    ],
)
def test_a_statement_without_a_district_is_found(source: str) -> None:
    assert list(list_nameless(ast.parse(source))) == ["f"]


@pytest.mark.parametrize("source", ["a.join(b, a.c.n == b.c.n)", "on = a.c.n == b.c.n\nselect(a).join(b, on)"])
def test_a_join_across_districts_is_found(source: str) -> None:
    assert len(list(list_loose(ast.parse(source)))) == 1


def test_a_statement_outside_its_home_is_found() -> None:
    assert list_made(ast.parse("from sqlalchemy import select")) == {"select"}
