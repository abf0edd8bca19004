"""Each import contract is proven once: a planted import breaks that very contract, as `lint-imports` sees it."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from tests.architecture.plugin_contract import list_plugins

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "collector", "shared", "tests/architecture")

PLANTED = {
    "top-agent-to-collector": ("top", "agent/uplink.py", "import collector.errors"),
    "top-collector-to-agent": ("top", "collector/centre.py", "import agent.errors"),
    "top-shared-to-agent": ("top", "shared/chain.py", "import agent.errors"),
    "light-agent": ("light", "agent/spool.py", "import sqlalchemy"),
    "light-shared": ("light", "shared/signing.py", "import fastapi"),
    "flow-upwards": ("flow", "collector/people/queries.py", "import collector.stations.queries"),
    "flow-sideways": ("flow", "collector/timeline/presence.py", "import collector.usage.records"),
    "flow-undeclared-domain": ("flow", "collector/gossip.py", ""),
    "inside-service-to-pages": ("inside", "collector/people/service.py", "import collector.people.pages"),
    "inside-models-to-queries": ("inside", "collector/areas/models.py", "import collector.areas.queries"),
    "pure-rule": ("pure", "collector/faults/rules/disk_low.py", "import collector.db.engine"),
    "pure-report": ("pure", "collector/usage/reports/monthly.py", "import httpx"),
    "sql-in-a-service": ("sql", "collector/areas/service.py", "import sqlalchemy"),
    "sql-in-a-page": ("sql", "collector/tickets/pages.py", "from sqlalchemy import select"),
    "settings": ("settings", "collector/intake/service.py", "from collector.settings import Settings"),
    "plugins-probes": ("plugins", "agent/probes/audio.py", "from agent.probes.projector import PROBE as OTHER"),
    "plugins-rules": ("plugins", "collector/faults/rules/disk_low.py", "import collector.faults.rules.clock_wrong"),
    "plugins-channels": ("plugins", "collector/alerts/channels/log.py", "import collector.alerts.channels.mail"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages where anything may be planted."""
    copy = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests" / "__init__.py", copy / "tests")
    shutil.copy(ROOT / ".importlinter", copy)
    return copy


def test_the_project_keeps_every_contract(house: Path) -> None:
    code, text = lint_imports(house)

    assert code == 0, text


@pytest.mark.parametrize(("contract", "file", "line"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_import_breaks_its_contract(house: Path, contract: str, file: str, line: str) -> None:
    with planted(house / file, line):
        code, text = lint_imports(house)

    assert code != 0
    assert contract in broken_contracts(text)


def test_every_contract_has_a_planted_proof() -> None:
    named = {
        line.removeprefix("[importlinter:contract:").rstrip("]")
        for line in (ROOT / ".importlinter").read_text("utf-8").splitlines()
        if line.startswith("[importlinter:contract:")
    }

    assert {contract for contract, _, _ in PLANTED.values()} == named


def test_shared_loads_pydantic_and_pynacl_and_nothing_else() -> None:
    graph = grimp.build_graph("shared", include_external_packages=True)
    outside = {name for name in graph.modules if graph.is_module_squashed(name) and name not in sys.stdlib_module_names}

    assert outside == {"pydantic", "nacl"}


def test_plugins_are_found_as_the_running_program_finds_them() -> None:
    graph = grimp.build_graph("agent")

    assert list_plugins(graph, "agent.probes") == [
        f"agent.probes.{path.stem}"
        for path in sorted((ROOT / "agent" / "probes").glob("[a-z]*.py"))
        if path.stem != "base"
    ]


@contextlib.contextmanager
def planted(place: Path, line: str) -> Iterator[None]:
    """A file with one more line, or a new file of that line, for as long as the block runs."""
    before = place.read_bytes() if place.exists() else None
    place.write_bytes((before or b"") + f"\n{line}\n".encode())
    yield
    if before is None:
        place.unlink()
    else:
        place.write_bytes(before)


def lint_imports(house: Path) -> tuple[int, str]:
    """Run the linter on the copy. The folder comes first on the path, before the installed project."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; "
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{program}lint_imports_command()", "--no-logo"],
        cwd=house,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def broken_contracts(text: str) -> set[str]:
    """Names (the word before the colon) of the contracts the report calls broken."""
    return {line.partition(":")[0] for line in text.splitlines() if " BROKEN" in line}
