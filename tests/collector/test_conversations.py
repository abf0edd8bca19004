"""Agents of earlier versions still talk: what each once said, byte for byte, is understood by today's centre (G20)."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from agent.version import VERSION
from collector.intake.models import events
from tests.clocks import ManualClock
from tests.conversations import open_centre, outcome_of

SAMPLES = Path(__file__).parents[1] / "samples"
FOLDER, SUMS = SAMPLES / "conversations", SAMPLES / "conversations.sha256"
KINDS = [
    *("stream.opened", "courseware.received", "playback.started", "playback.progress", "playback.progress"),
    *("playback.ended", "courseware.removed"),
]


def list_kinds(client: TestClient) -> list[str]:
    async def load() -> list[str]:
        async with client.app.state.centre.database.read() as connection:  # type: ignore[attr-defined]
            return list((await connection.execute(select(events.c.kind).order_by(events.c.seq))).scalars())

    return client.portal.call(load)  # type: ignore[union-attr]


def hold(client: TestClient, clock: ManualClock, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say all of it again, each line at its time; what came of each."""
    outcomes, passed_ms = [], 0
    for line in lines:
        clock.advance(seconds=(line["at_ms"] - passed_ms) / 1000)
        passed_ms = line["at_ms"]
        body = base64.b64decode(line["body"])
        outcomes.append(outcome_of(client.request(line["method"], line["path"], content=body, headers=line["headers"])))
    return outcomes


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_all_that_an_agent_of_that_version_said_is_understood(name: str, database_url: str, tmp_path: Path) -> None:
    head, *lines = [json.loads(line) for line in (FOLDER / name).read_text("ascii").splitlines()]
    clock = ManualClock(head["began_ms"])
    with open_centre(database_url, tmp_path, clock) as client:
        outcomes = hold(client, clock, lines)
        kinds = list_kinds(client)

    assert [(each["status"], each["stored"]) for each in outcomes] == [
        (line["status"], line["stored"]) for line in lines
    ]
    missing = [set(line["fields"]) - set(each["fields"]) for line, each in zip(lines, outcomes, strict=True)]
    assert missing == [set()] * len(lines)
    assert kinds == KINDS


def test_conversations_are_never_edited_and_each_version_has_one() -> None:
    listed = dict(line.split(maxsplit=1)[::-1] for line in SUMS.read_text("ascii").splitlines())
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()}

    assert present == listed, "restore it; a new one gets a line of its own in tests/samples/conversations.sha256"
    assert f"{VERSION}.ndjson" in present, (
        "run: python -m tests.conversations tests/samples/conversations/VERSION.ndjson"
    )
