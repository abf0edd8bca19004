"""Agents of earlier versions still talk: what each once said, byte for byte, is understood by today's centre (G20)."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from agent.version import VERSION
from collector.intake.models import events, pledges, security_events
from tests.clocks import ManualClock
from tests.conversations import open_centre, outcome_of

SAMPLES = Path(__file__).parents[1] / "samples"
FOLDER, SUMS = SAMPLES / "conversations", SAMPLES / "conversations.sha256"
KINDS = [
    *("stream.opened", "courseware.received", "playback.started", "playback.progress", "playback.progress"),
    *("playback.ended", "courseware.removed"),
]


def look_into_store(client: TestClient) -> tuple[list[tuple[str, str | None]], int, int]:
    """Each event's kind with why it was set aside, if it was; how many pledges are here, how many suspicions."""

    async def load() -> tuple[list[tuple[str, str | None]], int, int]:
        async with client.app.state.centre.database.read() as connection:  # type: ignore[attr-defined]
            rows = await connection.execute(select(events.c.kind, events.c.refused).order_by(events.c.seq))
            counted = [
                (await connection.execute(select(func.count()).select_from(each))).scalar_one()
                for each in (pledges, security_events)
            ]
            return [(kind, refused) for kind, refused in rows], counted[0], counted[1]

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
        stored, pledged, suspicions = look_into_store(client)

    assert [(each["status"], each["stored"]) for each in outcomes] == [
        (line["status"], line["stored"]) for line in lines
    ]
    missing = [set(line["fields"]) - set(each["fields"]) for line, each in zip(lines, outcomes, strict=True)]
    assert missing == [set()] * len(lines)
    assert stored == [(kind, None) for kind in KINDS]
    assert (pledged > 0, suspicions) == (True, 0)


def test_conversations_are_never_edited_and_each_version_has_one() -> None:
    listed = dict(line.split(maxsplit=1)[::-1] for line in SUMS.read_text("ascii").splitlines())
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()}

    assert present == listed, "restore it; a new one gets a line of its own in tests/samples/conversations.sha256"
    assert f"{VERSION}.ndjson" in present, (
        "run: python -m tests.conversations tests/samples/conversations/VERSION.ndjson"
    )
