"""The lease ratchet by itself: one machine never trips it, two always do."""

import random
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.intake.leases import Finding, Holder


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable on purpose


def nothing_known() -> Holder:
    return Holder(boot="", mono_ms=-1, lease=None, before=b"", held=False, past={})


class Sent(NamedTuple):
    """A push on its way."""

    boot: str
    mono_ms: int
    shown: bytes


@dataclass(slots=True)
class Machine:
    """A machine that lives by the rules: keeps the lease of every answer that reaches it."""

    boot: str
    dice: random.Random
    mono_ms: int = 0
    lease: bytes = b""
    findings: list[Finding] = field(default_factory=list)

    def push(self, holder: Holder, *, answered: bool = True) -> Finding:
        finding, given_out = arrive(holder, self.send(), self.dice)
        self.lease = given_out if answered and given_out else self.lease
        self.findings.append(finding)
        return finding

    def send(self) -> Sent:
        self.mono_ms += 300_000
        return Sent(self.boot, self.mono_ms, self.lease)

    def reboot(self, boot: str) -> None:
        self.boot, self.mono_ms = boot, 0

    def copy(self, boot: str) -> "Machine":
        return Machine(boot, self.dice, lease=self.lease)


def arrive(holder: Holder, sent: Sent, dice: random.Random) -> tuple[Finding, bytes]:
    """What the centre finds of a push, and the lease it gives for it."""
    finding = holder.judge(boot=sent.boot, mono_ms=sent.mono_ms, shown=sent.shown)
    holder.held = holder.held or finding is Finding.FORK
    if finding is Finding.OVERTAKEN:
        return finding, holder.doubt(boot=sent.boot, mono_ms=sent.mono_ms, entropy=dice.randbytes)
    if finding not in {Finding.FRESH, Finding.AHEAD}:
        return finding, b""
    given = holder.move(boot=sent.boot, mono_ms=sent.mono_ms, shown=sent.shown, entropy=dice.randbytes)
    return finding, given


@given(st.lists(st.booleans(), max_size=30), st.integers())
def test_one_machine_is_never_held_whatever_answers_are_lost(answered: list[bool], seed: int) -> None:
    machine, holder = Machine("a", dice(seed)), nothing_known()

    findings = {machine.push(holder, answered=each) for each in answered}

    assert findings <= {Finding.FRESH}


@given(st.data(), st.integers())
@settings(max_examples=300)
def test_one_machine_is_never_held_whatever_is_lost_held_up_and_sent_twice_over_its_restarts(
    data: st.DataObject, seed: int
) -> None:
    """Pushes are sent one after the other; each arrives at once, later in any order, again and again, or never."""
    machine, holder, under_way = Machine("0", dice(seed)), nothing_known(), list[Sent]()
    for number in range(data.draw(st.integers(1, 40))):
        what = data.draw(st.sampled_from(("answered", "unanswered", "held up", "restart", "late")))
        if what == "restart":
            machine.reboot(f"{number + 1}")
        elif what == "late" and under_way:
            arrive(holder, data.draw(st.sampled_from(under_way)), machine.dice)
        else:
            sent = machine.send()
            under_way.append(sent)
            given = b"" if what == "held up" else arrive(holder, sent, machine.dice)[1]
            machine.lease = given if what == "answered" and given else machine.lease

    assert not holder.held
    assert [machine.push(holder) for _ in range(2)][1] is Finding.FRESH


def test_a_first_word_that_comes_after_the_first_word_of_the_next_boot_is_no_copy() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    machine.reboot("b")
    held_up = machine.send()
    machine.reboot("c")
    machine.push(holder)
    arrive(holder, held_up, machine.dice)

    assert [machine.push(holder) for _ in range(3)] == [Finding.FRESH] * 3
    assert (holder.boot, holder.mono_ms) == ("c", machine.mono_ms)


def test_a_first_word_that_comes_still_later_is_no_copy_and_changes_nothing() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    machine.reboot("b")
    held_up = machine.send()
    machine.reboot("c")
    for _ in range(60):
        machine.push(holder)

    assert arrive(holder, held_up, machine.dice)[0] is Finding.OVERTAKEN
    assert holder.boot == "c"
    assert machine.push(holder) is Finding.FRESH


@given(st.integers(), st.integers(0, 5), st.lists(st.booleans(), min_size=6, max_size=12))
@settings(max_examples=300)
def test_two_machines_are_found_by_the_second_push_of_one_of_them(
    seed: int, pushes_before: int, turns: list[bool]
) -> None:
    """Whoever pushes in whatever order: once both have pushed, the older of the two shows a void lease."""
    original, holder = Machine("a", dice(seed)), nothing_known()
    for _ in range(pushes_before):
        original.push(holder)
    pair = {True: original, False: original.copy("b")}
    order = [True, False, *turns, True, False]

    for who in order:
        pair[who].push(holder)

    pushed_after_the_copy = original.findings[pushes_before:] + pair[False].findings
    assert Finding.FORK in pushed_after_the_copy
    assert original.findings[: pushes_before + 1] == [Finding.FRESH] * (pushes_before + 1)
    assert pair[False].findings[0] is Finding.FRESH
    assert Finding.FORK in {original.findings[pushes_before + 1 :][0], *pair[False].findings[:2]}


def test_an_image_copied_before_the_first_push_is_found_too() -> None:
    first, holder = Machine("a", dice(1)), nothing_known()
    second = first.copy("b")

    found = [machine.push(holder) for machine in (first, second, first, second)]

    assert found == [Finding.FRESH, Finding.FRESH, Finding.FRESH, Finding.FORK]


@pytest.mark.parametrize("age", [2, 47, 48, 49, 500])
def test_a_disk_restored_from_an_old_image_is_found_by_its_second_push(age: int) -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    image = machine.copy("b")
    for _ in range(age):
        machine.push(holder)

    assert [image.push(holder) for _ in range(2)] == [Finding.OVERTAKEN, Finding.FORK]


def test_a_copy_that_hears_nothing_for_days_is_found_when_it_hears_again() -> None:
    original, holder = Machine("a", dice(1)), nothing_known()
    original.push(holder)
    copied = original.copy("b")
    for _ in range(600):
        original.push(holder)
        copied.push(holder, answered=False)

    assert [copied.push(holder) for _ in range(2)] == [Finding.OVERTAKEN, Finding.FORK]


def test_two_machines_that_start_anew_for_every_push_are_found() -> None:
    first, holder = Machine("a", dice(1)), nothing_known()
    second = first.copy("b")
    for number in range(4):
        for machine in (first, second):
            machine.reboot(f"{machine.boot[:1]}{number}")
            machine.push(holder)

    assert second.findings[1] is Finding.FORK


@given(st.integers(1, 100), st.integers(0, 100))
def test_one_that_hears_nothing_for_long_goes_on_with_the_lease_it_hears_at_last(deaf: int, after: int) -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    for number in range(deaf):
        machine.reboot(f"{number}")
        machine.push(holder, answered=False)

    assert {machine.push(holder) for _ in range(after + 2)} == {Finding.FRESH}


def test_leases_of_the_first_make_go_on() -> None:
    """Given by a centre of an earlier version: a count and random bytes."""
    given = (7).to_bytes(8) + b"old ones"
    before = (6).to_bytes(8) + b"old ones"
    holder = Holder("a", 0, given, before, held=False, past={})
    machine = Machine("a", dice(1), lease=given)
    late = Machine("b", dice(1), lease=before)

    assert [machine.push(holder) for _ in range(3)] == [Finding.FRESH] * 3
    assert [late.push(holder) for _ in range(2)] == [Finding.OVERTAKEN, Finding.FORK]


def test_a_repeated_push_says_nothing_about_the_holder() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    for _ in range(4):
        machine.push(holder)

    assert holder.judge(boot="a", mono_ms=300_000, shown=b"") is Finding.OLD
    assert machine.push(holder) is Finding.FRESH


def test_a_repeated_push_of_an_earlier_boot_says_nothing_about_the_holder() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    machine.push(holder)
    machine.boot, machine.mono_ms = "b", 0
    machine.push(holder)
    machine.push(holder)

    assert holder.judge(boot="a", mono_ms=600_000, shown=b"") is Finding.OLD


def test_a_centre_that_went_back_to_a_backup_holds_nobody_up_and_notices() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    backup = Holder(holder.boot, holder.mono_ms, holder.lease, holder.before, held=False, past={})
    for _ in range(5):
        machine.push(holder)

    assert [machine.push(backup) for _ in range(2)] == [Finding.AHEAD, Finding.FRESH]


def test_a_lease_we_cannot_have_given_is_not_from_ahead() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    machine.push(holder)

    assert holder.judge(boot="a", mono_ms=10**9, shown=b"\xff" * 16) is Finding.FORK
    assert holder.judge(boot="b", mono_ms=1, shown=b"\xff" * 16) is Finding.OVERTAKEN


def decide(holder: Holder) -> Holder:
    """What a person's decision leaves of it."""
    return replace(holder, lease=None, before=holder.lease or b"", held=False)


def test_after_a_decision_whatever_is_shown_goes_on() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    for _ in range(3):
        machine.push(holder)
    decided = decide(holder)
    stranger = Machine("b", dice(2), lease=b"anything that was kept")

    assert stranger.push(decided) is Finding.FRESH


def test_after_a_decision_the_copy_that_was_ahead_is_a_copy_and_no_sign_of_an_old_backup() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    for _ in range(2):
        machine.push(holder)
    copy = machine.copy("b")
    for _ in range(2):
        machine.push(holder)
    decided = decide(holder)

    found = [copy.push(decided), machine.push(decided), copy.push(decided)]
    assert found == [Finding.FRESH, Finding.FRESH, Finding.FORK]
