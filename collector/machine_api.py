"""Completes the description at `/openapi.json`: the door for pushes, and what stations are told when refused.

Stations live by `shared/wire/v1.schema.json`; this says the same to the tools that read OpenAPI.
"""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from collector.alerts.receipts import PATH as RECEIPTS_PATH
from shared.wire.directions import SETTINGS_PATH, SettingsAnswer
from shared.wire.releases import PAYLOAD_PATH, RELEASE_PATH, ReleaseAnswer
from shared.wire.v1 import ENROL_PATH, PATH, ROTATE_PATH, TRUST_PATH, Answer, Envelope

REFUSALS: dict[str, tuple[int, ...]] = {
    PATH: (400, 401, 403, 405, 409, 412, 413, 422, 503),
    ENROL_PATH: (400, 401, 403, 405, 409, 410, 413, 422),
    ROTATE_PATH: (400, 401, 405, 409, 413, 422),
    TRUST_PATH: (404, 405),
    SETTINGS_PATH: (401, 405),
    RELEASE_PATH: (401, 405),
    PAYLOAD_PATH: (401, 404, 405, 416),
    RECEIPTS_PATH: (400, 401, 405, 413, 422, 503),
}
_JSON = "application/json"


class Problem(BaseModel):
    """What was refused and why (RFC 9457); `type` is made for machines, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str


class Readiness(BaseModel):
    """Whether this process can serve, and what is in the way."""

    ready: bool
    reasons: list[str]


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """Add to what FastAPI knows of the machine interface what it cannot know."""
    made: list[type[BaseModel]] = [Problem, Readiness, Envelope, Answer, SettingsAnswer, ReleaseAnswer]
    _, found = models_json_schema([(each, "validation") for each in made], ref_template="#/components/schemas/{model}")
    schema["components"]["schemas"] |= found["$defs"]
    paths = schema["paths"]
    paths[PATH] = {"post": _push()}
    _answers(paths[SETTINGS_PATH]["get"], {200: _content(SettingsAnswer), 304: {}})
    _answers(paths[RELEASE_PATH]["get"], {200: _content(ReleaseAnswer), 204: {}, 304: {}})
    _answers(paths[PAYLOAD_PATH]["get"], {206: {"application/octet-stream": {}}})
    _answers(paths["/readyz"]["get"], {200: _content(Readiness), 503: _content(Readiness)})
    for path, statuses in REFUSALS.items():
        for operation in paths[path].values():
            refused = {status: _content(Problem, "application/problem+json") for status in statuses}
            operation["responses"].pop("422", None)
            operation["responses"] |= {str(status): _answer(status, content) for status, content in refused.items()}
    return schema


def _push() -> dict[str, Any]:
    return {
        "summary": "Take in what a station has seen",
        "description": "Gzip over lines: the envelope, then one event a line, numbered without holes. Signed.",
        "operationId": "push",
        "requestBody": {"required": True, "content": _content(Envelope, "application/x-ndjson")},
        "responses": {"200": _answer(200, _content(Answer))},
    }


def _answers(operation: dict[str, Any], contents: dict[int, dict[str, Any]]) -> None:
    operation["responses"] = {str(status): _answer(status, content) for status, content in contents.items()}


def _answer(status: int, content: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    return said | ({"content": content} if content else {})


def _content(model: type[BaseModel], kind: str = _JSON) -> dict[str, Any]:
    return {kind: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
