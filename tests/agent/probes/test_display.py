"""Video outputs as the kernel shows them, from a real tree of files; broken EDIDs, vanishing outputs and swaps."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes import _edid, _identity
from agent.probes.display import PROBE, DisplaySensor, DisplaySettings
from shared.wire.states import DisplayState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock
from tests.devices.processes import require_program

TREE = Path(__file__).parents[2] / "samples" / "drm"
EDID = (TREE / "card0-HDMI-A-1" / "edid").read_bytes()
HDMI, VGA = "card0-HDMI-A-1", "card0-VGA-1"
NOW = ManualClock().now()


def forge(*changes: tuple[int, bytes]) -> bytes:
    """The EDID of another screen, with its checksum made right."""
    made = bytearray(EDID)
    for place, words in changes:
        made[place : place + len(words)] = words
    made[127] = -sum(made[:127]) % 256
    return bytes(made)


OTHER = forge((8, b"\x05\xe3"), (10, b"\x01\x24"), (95, b"AOC0002\n     "))


class Screens:
    """A copy of the tree, a sensor at it, and a runner that remembers."""

    def __init__(self, root: Path) -> None:
        self.root, self.rig = root, Rig()
        self.sensor = DisplaySensor(DisplaySettings(root=root), self.rig)

    def look(self) -> DisplayState:
        return DisplayState.model_validate(self.rig.look(self.sensor, NOW))

    def plug(self, edid: bytes, connector: str = HDMI) -> None:
        self.put(connector, "edid", edid)
        self.put(connector, "status", b"connected\n")

    def unplug(self, connector: str = HDMI) -> None:
        self.put(connector, "edid", b"")
        self.put(connector, "status", b"disconnected\n")

    def put(self, connector: str, name: str, content: bytes) -> None:
        (self.root / connector).mkdir(exist_ok=True)
        (self.root / connector / name).write_bytes(content)


@pytest.fixture
def screens(tmp_path: Path) -> Screens:
    return Screens(Path(shutil.copytree(TREE, tmp_path / "drm")))


def test_a_projector_on_the_cable_is_named(screens: Screens) -> None:
    assert screens.look() == DisplayState(
        outputs=2,
        screens=1,
        connector="HDMI-A-1",
        enabled=True,
        vendor="SEC",
        product="1234",
        serial="X8JK0000001",
        name="EPSON PJ",
    )


def test_edid_decode_reads_the_same_screen() -> None:
    done = subprocess.run(
        [require_program("edid-decode")], input=EDID, capture_output=True, check=True, timeout=20
    ).stdout.decode()
    told = {name: re.search(rf"{name}:\s+'?([^'\n]+)", done) for name in ("Manufacturer", "Model")}
    text = re.findall(r"Display Product (Name|Serial Number): '([^']+)'", done)

    mine = _edid.read(EDID)

    assert {name: match and match[1].strip() for name, match in told.items()} == {
        "Manufacturer": mine.vendor,
        "Model": str(int(mine.product, 16)),
    }
    assert dict(text) == {"Name": mine.name, "Serial Number": mine.serial}


def test_nothing_on_the_cable_is_told_apart_from_no_outputs_at_all(screens: Screens, tmp_path: Path) -> None:
    screens.unplug()
    bare = DisplaySensor(DisplaySettings(root=tmp_path / "nowhere"), Rig())

    assert screens.look() == DisplayState(outputs=2, screens=0)
    assert bare.read(NOW).state is None


def test_a_laptops_own_panel_is_no_projector(screens: Screens) -> None:
    screens.unplug()
    screens.plug(EDID, "card0-eDP-1")

    assert screens.look().screens == 0


def test_a_cable_that_carries_no_edid_still_counts_as_connected(screens: Screens) -> None:
    screens.plug(b"")

    seen = screens.look()

    assert (seen.screens, seen.name, seen.error) == (1, "", "")


BROKEN: Mapping[str, tuple[bytes, str]] = {
    "cut": (EDID[:100], "cut short"),
    "garbage": (bytes(range(128)), "not an EDID"),
    "one bit turned": (EDID[:40] + bytes([EDID[40] ^ 1]) + EDID[41:], "the checksum is wrong"),
    "no vendor": (forge((8, b"\xff\xff")), "no vendor"),
    "a flood": (b"\xff" * 100_000, "not an EDID"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_edid_is_said_and_changes_no_identity(screens: Screens, name: str) -> None:
    screens.look()
    raw, reason = BROKEN[name]
    screens.plug(raw)

    seen = [screens.look() for _ in range(3)][-1]

    assert (seen.screens, seen.vendor, seen.error) == (1, "", f"HDMI-A-1: {reason}")
    assert screens.rig.kinds() == []


@pytest.mark.parametrize(
    ("text", "name"),
    [(b"\xff\x00\x01\x7f\x80PJ\n\n\n\n\n\n", "ÿPJ"), (b"             ", ""), (b"0123456789ABC", "0123456789ABC")],
)
def test_letters_of_any_kind_in_a_name_are_cleaned(text: bytes, name: str) -> None:
    assert _edid.read(forge((77, text))).name == name


def test_a_screen_without_a_serial_text_has_its_number() -> None:
    assert _edid.read(forge((93, b"\x10"))).serial == str(int.from_bytes(EDID[12:16], "little"))


def test_an_output_that_vanishes_or_may_not_be_read_hides_no_other(
    screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    (screens.root / VGA / "status").unlink()
    screens.plug(EDID, "card1-DP-1")
    opening = Path.open

    def refuse(path: Path, *rest: Any, **more: Any) -> Any:
        if path.parent.name == "card1-DP-1":
            raise PermissionError(13, "Permission denied")
        return opening(path, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse)

    seen = screens.look()

    assert (seen.outputs, seen.connector) == (2, "HDMI-A-1")


def test_a_swapped_projector_is_told_once_and_after_a_restart_no_more(screens: Screens) -> None:
    screens.look()
    screens.plug(OTHER)
    for _ in range(3):
        screens.look()
    screens.sensor = DisplaySensor(DisplaySettings(root=screens.root), screens.rig)
    screens.look()

    assert screens.rig.told("device.changed") == [
        {
            "device": "display",
            "place": "HDMI-A-1",
            "before": {"vendor": "SEC", "product": "1234", "serial": "X8JK0000001", "name": "EPSON PJ"},
            "after": {"vendor": "AOC", "product": "2401", "serial": "AOC0002", "name": "EPSON PJ"},
        }
    ]


def test_a_screen_seen_for_one_look_only_is_no_swap(screens: Screens) -> None:
    screens.look()
    screens.plug(OTHER)
    screens.look()
    screens.plug(EDID)
    for _ in range(3):
        screens.look()

    assert screens.rig.kinds() == []


def test_a_projector_away_over_night_and_back_is_no_swap(screens: Screens) -> None:
    screens.look()
    screens.unplug()
    screens.look()
    screens.plug(EDID)
    screens.look()
    screens.look()

    assert screens.rig.kinds() == []


def test_the_first_device_ever_seen_is_no_swap_and_what_it_adds_later_neither() -> None:
    rig = Rig()

    for told in ({"name": "EB-X"}, {"name": "EB-X", "serial": "1"}, {"name": "", "serial": "1"}, {}):
        facts, memo = _identity.compare("projector", told, rig.memory)
        rig.memory = {key: value for key, value in (rig.memory | memo).items() if value is not None}
        assert facts == []

    assert rig.memory == {"device:": '{"name": "EB-X", "serial": "1"}'}


def test_a_memory_that_cannot_be_read_is_begun_anew() -> None:
    facts, memo = _identity.compare("projector", {"name": "EB-X"}, {"device:": "[1", "next:": "7"})

    assert facts == []
    assert memo == {"device:": '{"name": "EB-X"}', "next:": None}


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert DisplayState.model_validate(PROBE.sample).model_dump() == PROBE.sample
