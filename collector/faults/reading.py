"""Reads a stored heartbeat into what rules judge: the states of sensors and a few figures. Pure.

A heartbeat as agents write it is read in one go. One with something odd in it is read piece by piece, and what cannot
be read is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from collector.faults.rules.base import STATES, read_states
from shared.wire.states import State

_OK = "ok"
_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """What one heartbeat tells. `failing` is None while it tells of no sensor; `hours` as the station states them."""

    states: Mapping[str, State] = field(default_factory=dict)
    failing: Mapping[str, str] | None = None
    waiting: int | None = None
    spool_full: bool = False
    starts: int | None = None
    hours: Sequence[str] = ()


class _Spool(BaseModel):
    model_config = ConfigDict(extra="ignore")

    waiting: int | None = None
    full: bool = False


class _Report(BaseModel):
    """Any sensor but those we know: only its status counts."""

    model_config = ConfigDict(extra="ignore")

    status: str = ""
    error: str = ""


def read_told(text: str) -> Told:
    """What the heartbeat `text` (JSON of `shared.wire.v1.Heartbeat`) tells."""
    try:
        seen: Any = _model().model_validate_json(text)
    except ValidationError:
        return _read_pieces(text)
    states: dict[str, State] = {}
    failing: dict[str, str] = {}
    probes = seen.probes
    for name in STATES:
        report = getattr(probes, name)
        if report is None:
            continue
        if report.status == _OK:
            states[name] = report.state
        elif report.status == _FAILED:
            failing[name] = report.error
    others = probes.__pydantic_extra__
    failing |= {name: each.error for name, each in others.items() if each.status == _FAILED}
    told_any = bool(others or probes.__pydantic_fields_set__)
    return Told(
        states,
        failing if told_any else None,
        seen.spool.waiting,
        seen.spool.full,
        seen.starts,
        seen.open_hours,
    )


@lru_cache(maxsize=1024)
def read_hours(text: str | None) -> Sequence[str]:
    """The opening hours alone, from their JSON text: of a station long silent nothing else is of use."""
    hours: Any = json.loads(text or "[]")
    return tuple(map(str, hours)) if isinstance(hours, list) else ()


@cache
def _model() -> type[BaseModel]:
    """One model of the whole heartbeat, so that it is taken apart by one call."""
    fields: dict[str, Any] = {}
    for name, kind in STATES.items():
        report = create_model(f"_{name}", __base__=_Report, state=(kind, kind()))
        fields[name] = (report | None, None)
    probes = create_model("_Probes", __base__=_Others, **fields)
    return create_model(
        "_Told",
        __config__=ConfigDict(extra="ignore"),
        spool=(_Spool, _Spool()),
        starts=(int | None, None),
        open_hours=(tuple[str, ...], ()),
        probes=(probes, probes()),
    )


class _Others(BaseModel):
    """Sensors a newer agent has and we do not."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, _Report]


def _read_pieces(text: str) -> Told:
    try:
        heartbeat: Any = json.loads(text)
    except ValueError:
        return Told()
    probes = {name: each for name, each in _mapping(heartbeat, "probes").items() if isinstance(each, Mapping)}
    spool = _mapping(heartbeat, "spool")
    waiting, starts, hours = spool.get("waiting"), heartbeat.get("starts"), heartbeat.get("open_hours")
    failing = {name: str(each.get("error", "")) for name, each in probes.items() if each.get("status") == _FAILED}
    return Told(
        read_states({name: each.get("state", {}) for name, each in probes.items() if each.get("status") == _OK}),
        failing if probes else None,
        waiting if isinstance(waiting, int) else None,
        spool.get("full") is True,
        starts if isinstance(starts, int) else None,
        tuple(map(str, hours)) if isinstance(hours, list) else (),
    )


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    inner = value.get(name) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
