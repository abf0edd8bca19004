"""Every sensor has met every kind of hostile peer: which test shows it. A new sensor is refused until it has."""

import ast
from pathlib import Path

import pytest

from agent import probes
from agent.probes.base import Probe
from shared.discover import discover

ROOT = Path(__file__).parents[3]
KINDS = ("garbage", "drip", "silence", "flood", "encoding", "permission", "vanished")
NO_PEER = "the kernel's own clock: no peer that could do it"
AT_ONCE = "the kernel answers a read of these files at once"

_PROBES, _DEVICES = "tests/agent/probes", "tests/devices"
_SMART, _SERIAL = f"{_PROBES}/test_smart.py", f"{_DEVICES}/test_serial_projector.py"
_COURSEWARE, _JOURNAL = f"{_PROBES}/test_courseware_hostile.py", f"{_PROBES}/test_journal.py"
_DISPLAY, _ALSA, _TEXTFILE = (f"{_PROBES}/test_{name}.py" for name in ("display", "alsa", "textfile"))
_LATE = f"{_SMART}::test_a_program_that_hangs_floods_or_drips_is_ended_in_time"
_CABLE = f"{_SERIAL}::test_a_hostile_peer_costs_a_bounded_time_and_gives_a_state"
_NETWORK = f"{_DEVICES}/test_hostile_projectors.py::test_a_hostile_peer_costs_a_bounded_time_and_gives_a_state"
_CARDS = f"{_ALSA}::test_a_list_that_is_none_gives_no_more_than_it_holds"
_OUTPUT = f"{_DISPLAY}::test_an_output_that_vanishes_or_may_not_be_read_hides_no_other"
_SOUND = f"{_PROBES}/test_audio.py::test_a_server_that_accepts_and_says_nothing_costs_no_more_than_the_time_allowed"
_HUNG = f"{_DEVICES}/test_pulseaudio.py::test_a_server_that_hangs_costs_no_more_than_the_time_allowed"
_DROPPED = f"{_TEXTFILE}::test_a_bad_file_is_named_with_its_reason_and_its_neighbour_is_read"
_PIPES = f"{_COURSEWARE}::test_pipes_devices_sockets_and_looping_links_do_not_hold_up_a_look"

TABLE: dict[str, tuple[str, ...]] = {
    "alsa": (
        _CARDS,
        AT_ONCE,
        AT_ONCE,
        _CARDS,
        _CARDS,
        f"{_ALSA}::test_a_list_that_may_not_be_read_is_a_failure_of_the_sensor",
        f"{_ALSA}::test_a_card_pulled_out_is_no_longer_there",
    ),
    "audio": (
        "tests/agent/session/test_inbox.py::test_nonsense_leaves_no_trace",
        _HUNG,
        _SOUND,
        "tests/agent/session/test_listener.py::test_a_flood_is_read_no_faster_than_its_allowance",
        "tests/agent/session/test_listener.py::test_one_who_talks_nonsense_is_cut_off_and_the_others_are_not",
        "tests/agent/session/test_listener.py::test_a_stranger_is_shown_the_door",
        f"{_DEVICES}/test_pulseaudio.py::test_a_server_that_dies_is_missed_and_met_again",
    ),
    "clock": (f"{_PROBES}/test_clock.py::test_a_damaged_memory_is_taken_for_none", *[NO_PEER] * 6),
    "courseware": (
        f"{_PROBES}/test_courseware.py::test_a_broken_file_is_rejected_once",
        f"{_PROBES}/test_courseware.py::test_a_lesson_that_still_grows_waits",
        _PIPES,
        f"{_COURSEWARE}::test_more_entries_than_the_limit_are_told_and_removes_nothing",
        f"{_COURSEWARE}::test_a_name_of_any_bytes_is_told_as_clean_text",
        f"{_COURSEWARE}::test_a_folder_within_that_cannot_be_read_removes_nothing",
        f"{_COURSEWARE}::test_a_drive_that_is_pulled_out_and_comes_back_removes_nothing",
    ),
    "display": (
        f"{_DISPLAY}::test_a_broken_edid_is_said_and_changes_no_identity",
        AT_ONCE,
        f"{_DISPLAY}::test_a_cable_that_carries_no_edid_still_counts_as_connected",
        f"{_DISPLAY}::test_a_broken_edid_is_said_and_changes_no_identity",
        f"{_DISPLAY}::test_letters_of_any_kind_in_a_name_are_cleaned",
        _OUTPUT,
        _OUTPUT,
    ),
    "host": (
        f"{_SMART}::test_an_answer_that_is_none_is_no_health",
        _LATE,
        _LATE,
        _LATE,
        f"{_PROBES}/test_host.py::test_a_pulse_that_is_none_leaves_the_memo_to_tell",
        f"{_SMART}::test_without_the_program_or_the_right_to_run_it_there_is_no_health",
        f"{_PROBES}/test_host.py::test_a_directory_that_is_missing_has_no_figures",
    ),
    "playback": (
        f"{_JOURNAL}::test_noise_in_a_journal_is_passed_by",
        f"{_JOURNAL}::test_a_line_still_being_written_is_read_at_the_next_look",
        f"{_JOURNAL}::test_a_player_that_lives_and_is_silent_is_waited_for",
        f"{_JOURNAL}::test_a_journal_of_nothing_but_noise_goes_in_the_end",
        f"{_PROBES}/test_playback.py::test_a_name_in_an_old_encoding_finds_its_hash",
        f"{_JOURNAL}::test_a_folder_that_cannot_be_read_ends_nothing",
        f"{_JOURNAL}::test_a_journal_somebody_deletes_ends_its_playing",
    ),
    "projector": (
        _NETWORK,
        _NETWORK,
        _CABLE,
        _CABLE,
        f"{_DEVICES}/test_hostile_projectors.py::test_a_quirky_projector_is_understood_in_full",
        f"{_SERIAL}::test_a_port_this_program_may_not_use_is_said",
        f"{_SERIAL}::test_a_cable_pulled_during_the_talk_is_said_and_what_was_told_is_kept",
    ),
    "textfile": (
        _DROPPED,
        f"{_TEXTFILE}::test_files_under_way_and_hidden_ones_are_nobodys_business",
        f"{_TEXTFILE}::test_what_is_no_ordinary_file_is_never_followed_and_never_waited_for",
        f"{_TEXTFILE}::test_a_flood_of_files_is_cut_and_said_to_be",
        _DROPPED,
        f"{_TEXTFILE}::test_a_file_nobody_may_read_is_named",
        f"{_TEXTFILE}::test_a_file_that_vanishes_during_the_look_is_no_error",
    ),
}


def test_every_sensor_is_in_the_table() -> None:
    assert set(TABLE) == set(discover(probes, "PROBE", Probe))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_what_the_table_names_is_there(name: str) -> None:
    named = dict(zip(KINDS, TABLE[name], strict=True))
    missing = {kind: where for kind, where in named.items() if where not in {NO_PEER, AT_ONCE} and not _exists(where)}
    assert missing == {}


def _exists(where: str) -> bool:
    file, _, test = where.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return test in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
