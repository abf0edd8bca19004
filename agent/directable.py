"""Which settings of which sensors the centre may set: no files, no secrets, nothing a model calls the station's own.

The centre reads the list from `shared/wire/directable.json`; `python -m agent.directable` makes it from the models, and
the tests compare the two.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from agent import probes
from agent.probes.base import Probe, ProbeSettings
from shared.discover import discover

_CLOSED = frozenset({"path", "file-path", "directory-path", "password"})


def list_directable(settings: type[ProbeSettings]) -> list[str]:
    """Names of the fields of a sensor's settings that the centre may set."""
    properties: Mapping[str, Any] = settings.model_json_schema()["properties"]
    return [
        name
        for name, schema in properties.items()
        if name not in settings.station_only and not _CLOSED & set(_list_formats(schema))
    ]


def make_list() -> str:
    """The text of `directable.json`."""
    found = discover(probes, "PROBE", Probe)
    names = {name: list_directable(probe.settings) for name, probe in found.items()}
    return json.dumps(names, indent=2, sort_keys=True) + "\n"


def _list_formats(schema: Mapping[str, Any]) -> Iterator[str]:
    if "format" in schema:
        yield str(schema["format"])
    for each in (*schema.get("anyOf", ()), *filter(None, [schema.get("items")])):
        yield from _list_formats(each)


if __name__ == "__main__":
    sys.stdout.write(make_list())
