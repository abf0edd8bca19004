"""What can be known of the projector sensor without a projector; the rest is in `tests/devices`."""

import pytest
from pydantic import ValidationError

from agent.probes.projector import PROBE, ProjectorSensor, ProjectorSettings
from shared.wire.states import ProjectorState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock

NOW = ManualClock().now()


def test_without_an_address_there_is_no_projector_to_look_at() -> None:
    assert ProjectorSensor(ProjectorSettings(), Rig()).read(NOW).state is None


def test_a_name_in_place_of_an_address_is_refused() -> None:
    with pytest.raises(ValidationError, match="IP"):
        ProjectorSettings(host="projector.local")


def test_the_password_is_never_printed() -> None:
    assert "geheim" not in repr(ProjectorSettings(host="192.168.1.20", password="geheim"))


def test_the_longest_look_ends_before_it_counts_as_hung() -> None:
    longest = ProjectorSettings(host="192.168.1.20", timeout_s=5)
    assert (4 + 3) * longest.timeout_s < PROBE.limit_s


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert ProjectorState.model_validate(PROBE.sample).model_dump() == PROBE.sample
