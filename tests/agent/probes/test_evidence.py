from collections.abc import Mapping
from typing import Any

import pytest

from agent.probes._evidence import add_segment, content_seconds, write_segments
from tests.agent.probes.station import PROJECTOR_ON, SOUNDING, Player, Station


def test_the_projector_on_and_the_sound_heard_make_level_three(station: Station, player: Player) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    player.start()
    player.run(60)
    player.end()
    station.look()
    assert station.ended()["minutes"] == {"E3": 1.0}


@pytest.mark.parametrize(
    ("states", "level", "flags"),
    [
        ({}, "E2", []),
        ({"projector": PROJECTOR_ON}, "E2", []),
        ({"audio": SOUNDING}, "E2", []),
        ({"projector": {"power": None}, "audio": SOUNDING}, "E2", []),
        ({"projector": {"power": "warming"}, "audio": SOUNDING}, "E2", []),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"volume": 0.05}}, "E2", []),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"sounding": False}}, "E2", []),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"volume": None, "muted": None}}, "E2", []),
        ({"projector": {"power": "off"}, "audio": SOUNDING}, "E1", ["projector_off"]),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"muted": True}}, "E1", ["muted"]),
        ({"projector": {"power": "off"}, "audio": {"muted": True}}, "E1", ["projector_off", "muted"]),
    ],
)
def test_what_is_unknown_lowers_no_level_and_what_contradicts_does(
    station: Station, player: Player, states: Mapping[str, Any], level: str, flags: list[str]
) -> None:
    station.rig.states = dict(states)
    player.start()
    player.run(60)
    player.end()
    station.look()
    assert (station.ended()["minutes"], station.ended()["flags"]) == ({level: 1.0}, flags)


@pytest.mark.parametrize("silence", [{"muted": True}, {"vol": 3}])
def test_a_player_without_sound_contradicts_like_a_muted_sink(
    station: Station, player: Player, silence: Mapping[str, Any]
) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    player.start()
    player.fields.update(silence)
    player.say("sound")
    player.run(60)
    player.end()
    station.look()
    assert (station.ended()["minutes"], station.ended()["flags"]) == ({"E1": 1.0}, ["muted"])


def test_a_film_without_sound_asks_for_none(station: Station, player: Player) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING | {"muted": True}}
    player.start(audio=False)
    player.run(60)
    player.end()
    station.look()
    assert station.ended()["minutes"] == {"E3": 1.0}


def test_a_projector_that_is_on_now_proves_nothing_of_an_hour_ago(station: Station, player: Player) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    player.start()
    player.run(60)
    player.end()
    station.look_after(3600)
    assert station.ended()["minutes"] == {"E2": 1.0}


def test_segments_that_overlap_count_once() -> None:
    pieces = add_segment(add_segment([(0, 10)], 10.05, 20), 5, 8)
    assert pieces == [(0, 20), (5, 8)]
    assert content_seconds(pieces) == 20
    assert write_segments([(0, 12.5), (30, 60)]) == "0[.]12.5[,]30[.]60"


@pytest.mark.parametrize(
    ("states", "coverage"),
    [({"projector": PROJECTOR_ON, "audio": SOUNDING}, 1.0), ({"projector": {"power": "off"}}, 0.5), ({}, 0.0)],
)
def test_coverage_says_how_much_of_the_way_out_was_observed_whatever_it_showed(
    station: Station, player: Player, states: dict[str, Any], coverage: float
) -> None:
    station.rig.states.update(states)
    player.start()
    for _ in range(6):
        player.run(10)
        station.look()
    player.end()
    station.look()
    assert station.ended()["coverage"] == coverage
