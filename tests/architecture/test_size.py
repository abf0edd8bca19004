"""Rooms stay small: at most 400 lines a file, 50 lines a function; the median file at most 100 lines."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "collector", "shared")
FOLDERS = (*PACKAGES, "bench", "tests")
SUFFIXES = {".py", ".lua", ".css", ".js", ".html", ".sh"}
MAX_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_MEDIAN_LINES = 100

# Each exemption says why; one that is no longer needed fails the test below.
LONG_FILES = {
    "collector/db/migrations/versions/0001_the_first_schema.py": "a migration is one list of tables, never edited",
}
LONG_FUNCTIONS = {
    "collector/db/migrations/versions/0001_the_first_schema.py upgrade": "the same list of tables",
}


def list_sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)


def count_lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def list_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length of every function of a Python file, decorators not counted."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)) for path in list_sources(*FOLDERS) if count_lines(path) > MAX_LINES}

    assert long == set(LONG_FILES)


def test_no_function_is_longer_than_50_lines() -> None:
    python = [path for path in list_sources(*FOLDERS) if path.suffix == ".py"]
    long = {name for path in python for name, lines in list_functions(path) if lines > MAX_FUNCTION_LINES}

    assert long == set(LONG_FUNCTIONS)


def test_a_typical_file_is_read_in_a_minute() -> None:
    lines = [count_lines(path) for path in list_sources(*PACKAGES) if path.suffix == ".py"]

    assert statistics.median(lines) <= MAX_MEDIAN_LINES


def test_every_package_and_module_says_what_it_is_for() -> None:
    mute = [
        str(path.relative_to(ROOT))
        for path in list_sources(*PACKAGES)
        if path.suffix == ".py" and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]

    assert mute == []
