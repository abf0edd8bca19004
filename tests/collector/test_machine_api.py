"""Schemathesis reads what the centre says of its machine interface and tries it out, rightly and wrongly signed.

Whatever a machine sends: no answer is an error of the server, and each is one that the description foretells.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from collector.app import MACHINE, create_app
from collector.db.engine import Database
from collector.machine_api import REFUSALS
from collector.settings import Settings
from collector.stations import queries as stations
from shared import signing
from shared.wire.releases import PAYLOAD_PATH
from shared.wire.v1 import ENROL_PATH, PATH
from tests.clocks import ManualClock
from tests.collector.intake.pushes import event, packed
from tests.districts import LIZHOU, plant_district
from tests.office import write_once
from tests.serving import serving_thread

ONE = f"{LIZHOU}/1"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROUTES = [*REFUSALS, "/healthz", "/readyz"]
EXAMPLES = 30

pytestmark = pytest.mark.timeout(300)


@schemathesis.serializer("application/x-ndjson")
def dump_envelope(_context: Any, value: Any) -> bytes:
    """The first line of a push; events are added where it is sent."""
    return packed(json.dumps(value).encode())


@dataclass(frozen=True, slots=True)
class Live:
    """A centre on a real socket, and what it says of itself."""

    url: str
    schema: Any
    key: SigningKey


@pytest.fixture(scope="module")
def live(sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    file = tmp_path_factory.mktemp("machine") / "centre.db"
    file.write_bytes(sqlite_template.read_bytes())
    options = Settings(database=f"sqlite+aiosqlite:///{file}", tls_dir=file.parent / "tls")
    key = SigningKey.generate()
    asyncio.run(_plant(options.database, key))
    app = create_app(options, clock=ManualClock(), with_jobs=False)
    with serving_thread(app) as port:
        url = f"http://127.0.0.1:{port}"
        yield Live(url, schemathesis.openapi.from_dict(httpx.get(f"{url}/openapi.json").json()), key)


async def _plant(url: str, key: SigningKey) -> None:
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    await database.close()
    public = bytes(key.verify_key)
    await write_once(
        url,
        lambda connection: stations.add_key(
            connection, LIZHOU, 1, key_id=signing.key_id(public), public_key=public, now_ms=1
        ),
    )


def send(live: Live, case: Any, body: bytes, *, is_signed: bool) -> httpx.Response:
    """The case as schemathesis made it, with a signature that fits or none."""
    path = case.formatted_path
    claimed = "0/0" if case.path == ENROL_PATH else ONE
    signature = signing.authorization(live.key, method=case.method, path=path, station=claimed, body=body)
    headers = {"Authorization": signature} if is_signed else {}
    if case.path == PAYLOAD_PATH:
        headers["Range"] = f"bytes=0-{len(path)}"
    if case.method == "POST" and case.path != PATH:
        headers["Content-Type"] = "application/json"
    return httpx.request(case.method, live.url + path, content=body, headers=headers, timeout=60)


def body_of(live: Live, case: Any) -> bytes:
    """What schemathesis wants to send, as a station would write it; an enrolment in the name of the key that signs."""
    if case.method == "GET":
        return b""
    if case.path == ENROL_PATH and isinstance(case.body, dict) and "public_key" in case.body:
        case.body["public_key"] = bytes(live.key.verify_key).hex()
    raw = isinstance(case.body, bytes)
    content = case.body if raw else json.dumps(None if case.body is NOT_SET else case.body, default=repr).encode()
    return packed(content, event(1), event(2)) if case.path == PATH else content


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_is_one_that_the_description_foretells(live: Live, route: str, mode: GenerationMode) -> None:
    (operation,) = live.schema[route].values()
    has_body = bool(operation.body)
    strategy = operation.as_strategy(generation_mode=mode if has_body else GenerationMode.POSITIVE)

    @settings(
        max_examples=EXAMPLES if has_body else 6,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, is_signed=st.sampled_from([True, True, False]))
    def check(case: Any, is_signed: bool) -> None:
        answer = send(live, case, body_of(live, case), is_signed=is_signed)
        case.validate_response(answer, checks=CHECKS)

    check()


def test_the_description_names_every_route_of_machines(live: Live) -> None:
    described = {operation.ok().path for operation in live.schema.get_all_operations()}

    assert MACHINE | {PATH} == {*ROUTES, "/openapi.json"}
    assert set(ROUTES) <= described


def test_an_answer_nobody_foretold_is_noticed(live: Live) -> None:
    (operation,) = live.schema["/readyz"].values()
    case = operation.Case()

    with pytest.raises(FailureGroup):
        case.validate_response(httpx.get(f"{live.url}/no-such-page"), checks=CHECKS)


def test_a_push_as_described_is_taken(live: Live) -> None:
    """So that the trials above reach the rooms behind the door."""
    taken = 0

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=live.schema[PATH]["POST"].as_strategy())
    def push(case: Any) -> None:
        nonlocal taken
        case.body |= {"station": ONE}
        taken += send(live, case, body_of(live, case), is_signed=True).status_code == 200

    push()
    assert taken > 0
