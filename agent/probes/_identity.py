"""Notices that a device is no longer the one it was: a swap, a repair, a theft made good with something cheaper.

A device that tells nothing is still the one it was. A new one is believed at the second look, for a plug being pushed
in may garble the first.
"""

import json
from collections.abc import Mapping
from contextlib import suppress

from agent.probes.base import Fact
from shared.wire.kinds import DeviceChanged

Identity = Mapping[str, str]


def compare(
    device: str, told: Identity, memory: Mapping[str, str], *, place: str = ""
) -> tuple[list[Fact], dict[str, str | None]]:
    """Facts to record and what to remember, given what a device tells of itself and the sensor's memory.

    `place` tells several of one kind apart, for example by their connector.
    """
    known_key, next_key = f"device:{place}", f"next:{place}"
    told = {name: value for name, value in told.items() if value}
    known, candidate = _load(memory.get(known_key)), _load(memory.get(next_key))
    forget: dict[str, str | None] = {next_key: None} if next_key in memory else {}
    if not told:
        return [], forget
    if not _differ(known, told):
        whole = known | told
        return [], forget if whole == known else forget | {known_key: _dump(whole)}
    if candidate != told:
        return [], {next_key: _dump(told)}
    changed = DeviceChanged(device=device, place=place, before=known, after=told)
    return [Fact("device.changed", changed.model_dump())], {known_key: _dump(told), next_key: None}


def _differ(known: Identity, told: Identity) -> bool:
    return any(known[name] != told[name] for name in known.keys() & told.keys())


def _dump(identity: Identity) -> str:
    return json.dumps(dict(identity), ensure_ascii=False, sort_keys=True)


def _load(text: str | None) -> dict[str, str]:
    with suppress(ValueError):
        read = json.loads(text or "{}")
        if isinstance(read, dict):
            return {str(name): str(value) for name, value in read.items()}
    return {}
