"""Every plugin is complete in its one file: docstring, name of its own, sample; a bad one stops start-up at once."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from agent import probes
from agent.app import build
from agent.identity import Identity
from agent.probes.base import Probe
from agent.settings import AgentSettings
from agent.transport import Response
from collector.alerts import channels
from collector.alerts.channels.base import Channel
from collector.faults import rules
from collector.faults.rules.base import STATES, Rule
from collector.keys import Keys
from collector.usage import reports
from collector.usage.reports.base import Report
from shared.clock import Instant
from shared.discover import BadPluginError, discover
from shared.signing import new_key

FOLDERS: Mapping[str, tuple[ModuleType, str, type[Any]]] = {
    "probe": (probes, "PROBE", Probe),
    "rule": (rules, "RULE", Rule),
    "channel": (channels, "CHANNEL", Channel),
    "report": (reports, "REPORT", Report),
}
PLUGINS = {
    f"{package.__name__}.{name}": plugin
    for package, attribute, kind in FOLDERS.values()
    for name, plugin in discover(package, attribute, kind).items()
}
PROBES = discover(probes, "PROBE", Probe)
CHANNELS = discover(channels, "CHANNEL", Channel)
NOW = Instant(wall_ms=1_788_000_000_000, mono_ms=60_000, boot="0" * 32)


@pytest.mark.parametrize("module", PLUGINS)
def test_a_plugin_says_what_it_is_for(module: str) -> None:
    text = importlib.import_module(module).__doc__ or ""

    assert text.strip().partition("\n")[0].endswith((".", "?", "`"))


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_shows_a_state_the_centre_can_read(name: str) -> None:
    sample, state = PROBES[name].sample, STATES[name]

    read = state.model_validate(json.loads(json.dumps(sample)))

    assert set(sample) <= set(state.model_fields)
    assert read.model_dump(exclude_unset=True).keys() == sample.keys()


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_can_be_made_from_its_defaults_and_refuses_what_it_does_not_know(name: str) -> None:
    settings: type[BaseModel] = PROBES[name].settings

    assert settings().model_dump()["enabled"] is True
    with pytest.raises(ValueError, match="extra"):
        settings.model_validate({"no_such_setting": 1})


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_hangs_no_longer_than_until_its_next_look(name: str) -> None:
    assert 0 < PROBES[name].limit_s <= PROBES[name].every_s * 60


@pytest.mark.parametrize("name", CHANNELS)
def test_a_channel_without_keys_is_closed_not_broken(name: str) -> None:
    sender = CHANNELS[name].open(Keys())

    assert sender is None or callable(sender)
    assert CHANNELS[name].limit_s > 0


@pytest.mark.parametrize(("package", "attribute", "kind"), FOLDERS.values(), ids=FOLDERS)
def test_every_folder_has_plugins_and_their_own_names_differ(
    package: ModuleType, attribute: str, kind: type[Any]
) -> None:
    found = discover(package, attribute, kind)
    names = [getattr(plugin, "name", module) for module, plugin in found.items()]

    assert names
    assert len(set(names)) == len(names)


def test_the_agent_does_not_start_with_a_bad_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad_probes").mkdir()
    (tmp_path / "bad_probes" / "__init__.py").write_text("")
    (tmp_path / "bad_probes" / "lamp.py").write_text("PROBE = None")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("agent.app.probes", importlib.import_module("bad_probes"))
    identity = Identity(station="510802/17", title="宝轮镇 爱国社区", centre="http://127.0.0.1:1", key=new_key())

    with pytest.raises(BadPluginError, match=r"bad_probes\.lamp must export PROBE, a Probe"):
        build(AgentSettings(state_dir=tmp_path), identity, Nowhere(), NOW)


class Nowhere:
    """A link that is never asked."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        raise AssertionError(path, body, headers)
