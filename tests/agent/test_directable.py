"""What the centre may set from afar: no file, no program, no secret, and the committed list is the models' own."""

import json
from pathlib import Path

import pytest

from agent import probes
from agent.directable import list_directable, make_list
from agent.probes.base import Probe
from shared.discover import discover
from shared.wire import directions

PROBES = discover(probes, "PROBE", Probe)


def test_the_committed_list_is_the_one_the_models_make() -> None:
    committed = Path(directions.__file__).with_name("directable.json").read_text("utf-8")

    assert committed == make_list(), "run: python -m agent.directable > shared/wire/directable.json"
    assert directions.directable() == json.loads(committed)


@pytest.mark.parametrize(
    ("probe", "field"),
    [
        ("host", "smartctl"),
        ("host", "directory"),
        ("projector", "password"),
        ("projector", "device"),
        ("projector", "notices_port"),
        ("audio", "server"),
        ("courseware", "directory"),
        ("playback", "journal_dir"),
        ("textfile", "directory"),
        ("display", "root"),
    ],
)
def test_files_programs_and_secrets_are_set_at_the_station(probe: str, field: str) -> None:
    settings = PROBES[probe].settings

    assert field in settings.model_fields
    assert field not in list_directable(settings)


@pytest.mark.parametrize("probe", PROBES)
def test_every_sensor_can_be_switched_off_from_afar(probe: str) -> None:
    assert "enabled" in list_directable(PROBES[probe].settings)
