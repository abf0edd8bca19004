"""House rules that no linter knows: who may read a clock, which side is asynchronous, where a transaction ends."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Where the rule does not hold, with the reason.
OTHER_CLOCKS = {
    "shared/clock.py": "the one place that reads the machine's clock",
    "collector/job_runner.py": "APScheduler fires by the wall clock it reads itself",
}
OTHER_PROCESSES = "agent/session/"  # the helper in the desktop user's session may be of either colour
WALL_CLOCK = {"time", "time_ns", "now", "utcnow", "today"}
CLOCK_MODULES = {"time", "datetime", "date"}


def list_files(*folders: str) -> list[Path]:
    return [
        path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts
    ]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(path: Path) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def reads_wall_clock(call: ast.Call) -> bool:
    """`time.time()`, `datetime.now(UTC)`, `date.today()` and their like."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return module in CLOCK_MODULES and name in WALL_CLOCK
    return False


@pytest.mark.parametrize("text", ["time.time()", "datetime.now(UTC)", "date.today()", "time.time_ns()"])
def test_reading_the_wall_clock_is_recognised(text: str) -> None:
    call = ast.parse(text, mode="eval").body

    assert isinstance(call, ast.Call)
    assert reads_wall_clock(call)


def test_below_the_edge_time_is_a_value() -> None:
    reading = {
        name_of(path) for path in list_files("agent", "collector", "shared") if any(map(reads_wall_clock, calls(path)))
    }

    assert reading <= set(OTHER_CLOCKS)


def test_the_agent_is_synchronous() -> None:
    coloured = {
        name_of(path)
        for path in list_files("agent", "shared")
        if not name_of(path).startswith(OTHER_PROCESSES)
        and any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    }

    assert not coloured


def test_nobody_below_the_edge_commits() -> None:
    """A transaction ends where `Database.write()` is left, and nowhere else."""
    committing = {
        name_of(path)
        for path in list_files("collector")
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}
    }

    assert committing == set()


def test_nothing_in_the_product_reads_what_lies_outside_the_project() -> None:
    shared = {
        name_of(path)
        for path in list_files("agent", "collector", "shared", "bench", "tests")
        if path != Path(__file__) and ("/work/" in path.read_text("utf-8") or "../shared" in path.read_text("utf-8"))
    }

    assert shared <= {"tests/architecture/test_docs.py"}
