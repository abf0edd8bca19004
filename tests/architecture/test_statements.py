"""Statements run alike on SQLite, on PostgreSQL and on a cluster of districts: some words are never used in them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for path in (ROOT / "collector").rglob("*.py")
    if path.name.endswith("queries.py") or (path.parent.name == "db" and path.name != "__init__.py")
)
CALLS = {"now", "current_timestamp", "clock_timestamp", "timeofday", "random", "with_for_update", "merge", "interval"}
WORDS = re.compile(
    r"\b(?:now\(|current_timestamp|interval|for update|skip locked|merge into|on delete|nextval|unnest)|advisory",
    re.IGNORECASE,
)

# Each exemption says why; one that is no longer needed fails the test below.
ALLOWED = {
    ("collector/usage/fold_queries.py", "with_for_update"): "holds one station: one district, one shard",
}


def list_words(source: str) -> Iterator[str]:
    """Forbidden names that are called and forbidden words in texts that are not docstrings."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            yield node.func.attr
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from (word.lower() for word in WORDS.findall(node.value))


def test_no_statement_uses_what_only_one_database_knows_or_a_cluster_refuses() -> None:
    found = {(str(path.relative_to(ROOT)), word) for path in SOURCES for word in list_words(path.read_text("utf-8"))}

    assert found == set(ALLOWED)


def test_there_are_statements_to_look_at() -> None:
    assert len(SOURCES) > 15


@pytest.mark.parametrize(
    "line",
    [
        "select(func.now())",
        "select(x).with_for_update(skip_locked=True)",
        'text("SELECT * FROM jobs FOR UPDATE SKIP LOCKED")',
        'text("UPDATE t SET a = now()")',
        "text(\"SELECT a + interval '1 day'\")",
        'text("MERGE INTO t USING s")',
        'text("SELECT pg_try_advisory_lock(1)")',
    ],
)
def test_a_forbidden_word_is_found(line: str) -> None:
    assert list(list_words(line)) != []


def test_prose_may_say_anything() -> None:
    assert list(list_words('def now_it():\n    """Uses FOR UPDATE and now()."""\n')) == []
