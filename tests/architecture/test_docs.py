"""Documentation that cannot go stale: every file, test, command, target and setting it names exists."""

import argparse
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.__main__ import _parser as agent_parser
from agent.settings import AgentSettings
from collector.__main__ import _parser as collector_parser
from collector.settings import Settings

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
THREATS = ROOT / "docs" / "threats.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [
    ENGLISH,
    CHINESE,
    *(
        ROOT / name
        for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/glossary.md", "docs/threats.md")
    ),
    *sorted((ROOT / "docs").glob("centre*.md")),
    *sorted((ROOT / "docs").glob("install*.md")),
    *DECISIONS,
]
CONTRACTS = re.findall(r"^\[importlinter:contract:(\w+)\]", (ROOT / ".importlinter").read_text("utf-8"), re.MULTILINE)

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)
MADE = re.findall(r"^([a-z]+):(?!=)", MAKEFILE, re.MULTILINE)
"""All that can be made, those that `make help` leaves out included."""
COMMANDS = {"yuanjiao-agent": agent_parser, "yuanjiao-collector": collector_parser}
FOLDERS = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
BUILT = ("node_modules/", "build/", "dist/", ".venv/")
NOT_OURS = (
    "/work",
    "/root",
    "localhost:",
    "registry.npmjs",
    "pypi.org",
    "pythonhosted",
    "mirrors.",
    "tuna.tsinghua",
    "npmmirror",
)

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
readme = pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)


def list_code(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def list_paths(text: str) -> list[str]:
    """Names in backticks that begin with a folder of ours, or name a file at the root."""
    roots = {path.name for path in ROOT.iterdir() if path.is_file()}
    named = [each.split()[0] for each in list_code(text)]
    return [each for each in named if (each.startswith(FOLDERS) and not each.startswith(BUILT)) or each in roots]


def is_there(name: str) -> bool:
    """Whether a path, or a test written `path::test_name`, exists."""
    path, _, test = name.partition("::")
    place = ROOT / path
    if not place.exists():
        return False
    return not test or re.search(rf"^(async )?def {test}\(", place.read_text("utf-8"), re.MULTILINE) is not None


def rows_of(path: Path, heading: int) -> list[list[str]]:
    """Rows of the table under the heading with this number, without its first two lines."""
    section = path.read_text("utf-8").split("\n## ")[heading]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@page
def test_every_file_and_test_a_page_names_exists(path: Path) -> None:
    assert [name for name in list_paths(path.read_text("utf-8")) if not is_there(name)] == []


@page
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8"))

    assert [target for target in targets if not (path.parent / target).exists()] == []


@page
def test_every_make_target_and_every_command_a_page_names_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", text, re.MULTILINE))
    commands = set(re.findall(r"(?:`|^ {4})(yuanjiao-\w+) ([a-z-]+)", text, re.MULTILINE))

    assert targets <= set(MADE)
    assert [(program, verb) for program, verb in commands if verb not in list_verbs(program)] == []


@page
def test_every_setting_a_page_names_exists(path: Path) -> None:
    known = {f"YUANJIAO_{name.upper()}" for name in Settings.model_fields} | {"TEST_POSTGRES_URL"}
    named = set(re.findall(r"\b(?:YUANJIAO|TEST)_[A-Z_]+\b", path.read_text("utf-8")))

    assert named <= known
    assert AgentSettings.model_fields


@page
def test_a_page_names_no_machine_of_ours_and_no_registry(path: Path) -> None:
    text = path.read_text("utf-8")

    assert [name for name in NOT_OURS if name in text] == []


def test_every_room_of_the_house_is_on_the_map() -> None:
    packages = {f"{each.parent.relative_to(ROOT)}/" for each in ROOT.glob("*/*/__init__.py")}
    ours = {name for name in packages if name.startswith(("agent/", "collector/"))}
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

    assert {name for name in ours if f"`{name}`" not in text} == set()


def test_make_lists_at_most_ten_targets_and_explains_each() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [line.split()[0] for line in told.splitlines()] == TARGETS
    assert len(TARGETS) <= 10


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_and_ends_with_what_enforces_it(path: Path) -> None:
    text = path.read_text("utf-8")
    last = text.strip().splitlines()[-1]
    named = list_code(last.removeprefix("*Enforced by*: "))
    checks = [name for name in named if name.startswith("tests/") or name in {".importlinter", *CONTRACTS}]

    assert last.startswith("*Enforced by*: ")
    assert named == checks != []
    assert all(is_there(name) for name in named if name not in CONTRACTS)
    assert len(text.split()) <= 400
    assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences"))


def test_decisions_are_numbered_without_holes() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


def test_code_refers_to_decisions_that_exist() -> None:
    numbers = {path.name[:4] for path in DECISIONS}
    sources = [path for folder in ("agent", "collector", "shared") for path in (ROOT / folder).rglob("*.py")]
    named = {number for path in sources for number in re.findall(r"decision (\d{4})", path.read_text("utf-8"))}

    assert named <= numbers


@readme
def test_what_works_names_the_tests_that_show_it(path: Path) -> None:
    rows = rows_of(path, 2)
    claimed = [row for row in rows if row[1] != "–"]

    assert len(claimed) >= 10
    assert [row[0] for row in claimed if not list_paths(row[2])] == []
    assert [row[0] for row in rows if row[1] == "–" and row[2] != "–"] == []


@readme
def test_every_guarantee_is_listed_with_its_proof_or_as_not_yet(path: Path) -> None:
    rows = rows_of(path, 3)

    assert [row[0] for row in rows] == [f"G{number}" for number in range(1, 21)]
    assert [row[0] for row in rows if "::test_" not in row[2] and row[2] not in {"not yet", "还没有"}] == []


def test_every_threat_to_delivery_has_its_cases_and_each_case_its_test() -> None:
    headings = [heading.splitlines()[0].split(" · ")[0] for heading in THREATS.read_text("utf-8").split("\n## ")[1:]]
    cases = {name: rows_of(THREATS, number) for number, name in enumerate(headings, start=1)}

    assert headings == ["T1", "T2", "T3", "T4", "T5", "T8", "T16", "T17", "T18", "Not promised"]
    assert [name for name in headings[:-1] if len(cases[name]) < 3] == []
    assert [row[0] for rows in cases.values() for row in rows if not proves(row[2])] == []


def proves(cell: str) -> bool:
    """Whether a cell names a test that exists, or a file and the target of make that runs it."""
    is_run = any(f"`make {target}`" in cell for target in re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    return all(is_there(name) for name in list_paths(cell)) and ("::test_" in cell or is_run)


def test_a_case_without_a_test_is_noticed() -> None:
    assert not proves("by hand")
    assert not proves("`tests/collector/intake/test_push.py::test_that_nobody_wrote`")
    assert not proves("`make nothing`")


@readme
def test_what_is_not_promised_is_said(path: Path) -> None:
    assert "(docs/threats.md#not-promised)" in path.read_text("utf-8")


def test_both_readmes_have_the_same_structure_and_name_the_same_things() -> None:
    assert list(shape(ENGLISH)) == list(shape(CHINESE))
    assert list_code(ENGLISH.read_text("utf-8")) == list_code(CHINESE.read_text("utf-8"))


def test_the_readme_shows_a_real_picture_and_the_two_commands() -> None:
    text = ENGLISH.read_text("utf-8")
    picture = ROOT / str(re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)[0])

    assert picture.stat().st_size > 20_000
    assert "\n    make demo\n" in text
    assert "\n    make test\n" in text


def test_no_third_party_code_is_committed() -> None:
    names = [path.name for folder in ("agent", "collector", "shared", "docs") for path in (ROOT / folder).rglob("*")]
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()

    assert [name for name in names if name == "node_modules" or name.endswith((".min.js", ".min.css", ".whl"))] == []
    assert {"node_modules/", ".venv/"} <= set(ignored)


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-node.lock", "requirements-fuzz.lock", "package-lock.json"]
)
def test_a_lock_names_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert "sha512-" in text or "--hash=sha256:" in text
    assert re.findall(r"https?://\S+", text) == []


def list_verbs(program: str) -> set[str]:
    """Sub-commands of one of our programs."""
    actions = COMMANDS[program]()._actions
    return {verb for each in actions if isinstance(each, argparse._SubParsersAction) for verb in each.choices}


def shape(path: Path) -> Iterator[str]:
    """Headings, table rows, pictures and commands of a page, in order, without their words."""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("|"):
            yield f"row of {line.count('|')}"
        elif line.startswith(("#", "![", "    ")):
            yield line.split(maxsplit=1)[0][:2] if not line.startswith(" ") else line
