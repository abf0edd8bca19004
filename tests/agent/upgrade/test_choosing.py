"""Which agent a start runs: pure decisions, every one of them."""

from dataclasses import replace

import pytest

from agent.upgrade.choosing import MAX_STARTS, MAX_TRIALS, Moment, choose, remaining_s
from agent.upgrade.pointer import PACKAGE, Pointer

BOOT = Moment("boot-1", 60_000)
SLOTS = {"a": ("0.2.0", "aa" * 32), "b": ("0.3.0", "bb" * 32)}
TRIAL = Pointer(slot="b", before="a", trial=True, highest="0.2.0", offer=7)


def pick(
    pointer: Pointer, now: Moment = BOOT, *, package: str = "0.1.0", slots: dict[str, tuple[str, str]] = SLOTS
) -> Pointer:
    return choose(pointer, lambda name: slots.get(name, ("", "")), package=package, now=now, trial_s=600)


def test_without_a_pointer_the_package_runs() -> None:
    assert pick(Pointer()).slot == PACKAGE


def test_a_release_on_trial_is_started_and_counted() -> None:
    first = pick(TRIAL)
    second = pick(first, Moment("boot-1", 90_000))

    assert (first.slot, first.starts, first.trials, first.since_ms) == ("b", 1, 1, 60_000)
    assert (second.slot, second.starts, second.trials, second.since_ms) == ("b", 2, 2, 60_000)


def test_one_that_crashes_again_and_again_is_taken_back_and_told() -> None:
    pointer = TRIAL
    for number in range(MAX_STARTS):
        pointer = pick(pointer, Moment("boot-1", 60_000 + number))
        assert pointer.slot == "b"

    back = pick(pointer)

    assert (back.slot, back.before, back.trial) == ("a", PACKAGE, False)
    assert (back.failed, back.failed_sha256, back.failed_offer, back.told) == ("0.3.0", "bb" * 32, 7, False)
    assert "5 times" in back.why


def test_one_that_took_too_long_is_taken_back_at_the_next_start() -> None:
    started = pick(TRIAL)

    assert pick(started, Moment("boot-1", 60_000 + 599_999)).slot == "b"
    assert pick(started, Moment("boot-1", 60_000 + 600_000)).slot == "a"


def test_a_power_cut_gives_it_its_time_anew() -> None:
    started = pick(TRIAL)
    after = pick(started, Moment("boot-2", 5_000))

    assert (after.slot, after.starts, after.since_ms, after.trials) == ("b", 1, 5_000, 2)
    assert remaining_s(after, Moment("boot-2", 65_000), 600) == 540


def test_power_cuts_all_day_do_not_keep_a_trial_going_for_ever() -> None:
    pointer = TRIAL
    for number in range(MAX_TRIALS):
        pointer = pick(pointer, Moment(f"boot-{number}", 5_000))
        assert pointer.slot == "b"

    assert pick(pointer, Moment("boot-last", 5_000)).slot == "a"


def test_one_that_was_kept_and_breaks_later_goes_back_too_but_not_for_being_slow() -> None:
    kept = Pointer(slot="b", before="a", highest="0.3.0", boot="boot-1", starts=1, since_ms=0)

    assert pick(kept, Moment("boot-1", 10**9)).slot == "b"
    assert pick(replace(kept, starts=MAX_STARTS)).slot == "a"


def test_back_means_the_package_where_nothing_newer_is_left() -> None:
    broken = replace(TRIAL, boot="boot-1", starts=MAX_STARTS)

    assert pick(replace(broken, before=PACKAGE)).slot == PACKAGE
    assert pick(broken, slots={"b": SLOTS["b"]}).slot == PACKAGE
    assert pick(broken, package="0.2.0").slot == PACKAGE


def test_a_slot_whose_files_are_gone_is_not_started() -> None:
    back = pick(TRIAL, slots={"a": SLOTS["a"]})

    assert (back.slot, back.why) == ("a", "its files are gone")


@pytest.mark.parametrize("package", ["0.3.0", "0.4.0"])
def test_a_package_that_is_as_new_wins(package: str) -> None:
    chosen = pick(TRIAL, package=package)

    assert (chosen.slot, chosen.failed, chosen.highest) == (PACKAGE, "", package)


def test_what_has_been_proven_once_is_the_floor_for_ever() -> None:
    broken = Pointer(slot="b", before="a", highest="0.3.0", boot="boot-1", starts=MAX_STARTS)

    assert pick(broken).highest == "0.3.0"
