"""The lease ratchet by itself: one machine never trips it, two always do."""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.intake.leases import Finding, Holder


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable on purpose


def nothing_known() -> Holder:
    return Holder(boot="", mono_ms=-1, lease=None, before=b"", held=False, past={})


@dataclass(slots=True)
class Machine:
    """A machine that lives by the rules: keeps the lease of every answer that reaches it."""

    boot: str
    dice: random.Random
    mono_ms: int = 0
    lease: bytes = b""
    findings: list[Finding] = field(default_factory=list)

    def push(self, holder: Holder, *, answered: bool = True) -> Finding:
        self.mono_ms += 300_000
        finding = holder.judge(boot=self.boot, mono_ms=self.mono_ms, shown=self.lease)
        given_out = take(holder, finding, self)
        self.lease = given_out if answered and given_out else self.lease
        self.findings.append(finding)
        return finding

    def copy(self, boot: str) -> "Machine":
        return Machine(boot, self.dice, lease=self.lease)


def take(holder: Holder, finding: Finding, machine: Machine) -> bytes:
    holder.held = holder.held or finding is Finding.FORK
    if finding not in {Finding.FRESH, Finding.AHEAD}:
        return b""
    return holder.move(boot=machine.boot, mono_ms=machine.mono_ms, shown=machine.lease, entropy=machine.dice.randbytes)


@given(st.lists(st.booleans(), max_size=30), st.integers())
def test_one_machine_is_never_held_whatever_answers_are_lost(answered: list[bool], seed: int) -> None:
    machine, holder = Machine("a", dice(seed)), nothing_known()

    findings = {machine.push(holder, answered=each) for each in answered}

    assert findings <= {Finding.FRESH}


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

    found = [machine.push(holder) for machine in (first, second, first)]

    assert found == [Finding.FRESH, Finding.FRESH, Finding.FORK]


def test_a_disk_restored_from_an_old_image_is_found_at_once() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    machine.push(holder)
    image = machine.copy("b")
    machine.push(holder)
    machine.push(holder)

    assert image.push(holder) is Finding.FORK


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

    assert holder.judge(boot="b", mono_ms=1, shown=b"\xff" * 16) is Finding.FORK


def test_after_a_decision_whatever_is_shown_goes_on() -> None:
    machine, holder = Machine("a", dice(1)), nothing_known()
    for _ in range(3):
        machine.push(holder)
    decided = Holder(holder.boot, holder.mono_ms, None, b"", held=False, past={})
    stranger = Machine("b", dice(2), lease=b"anything that was kept")

    assert stranger.push(decided) is Finding.FRESH
