"""Everything that goes wrong, by name. Each is a function of the simulation and one of its machines."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.simulation.disk import Killed, Strike
from tests.simulation.forging import forged_history, impostor
from tests.simulation.life import DAY_MS
from tests.simulation.machine import Machine

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

HOUR_MS = 3_600_000
Fault = Callable[["Simulation", Machine], None]


def _on_the_way(name: str) -> Fault:
    def strike(sim: "Simulation", machine: Machine) -> None:
        machine.link.trouble += [name] * sim.dice.choice((1, 1, 1, 2, 5))

    return strike


def _on_the_disk(strike: Strike) -> Fault:
    def apply(sim: "Simulation", machine: Machine) -> None:
        del sim
        machine.strike(strike)

    return apply


def _at_the_centre(trouble: str) -> Fault:
    def strike(sim: "Simulation", machine: Machine) -> None:
        del machine
        sim.centre.trouble = trouble  # type: ignore[assignment]

    return strike


def outage(sim: "Simulation", machine: Machine) -> None:
    machine.link.up = False
    sim.later(sim.dice.uniform(0.2, 6), lambda: setattr(machine.link, "up", True))


def kill_agent(sim: "Simulation", machine: Machine) -> None:
    machine.crash(sim.now_ms, power=False)


def power_cut(sim: "Simulation", machine: Machine) -> None:
    machine.crash(sim.now_ms, power=True)


def late_first_word(sim: "Simulation", machine: Machine) -> None:
    """Power comes, goes and comes again: what the first boot had sent is still on its way when the second speaks."""
    power_cut(sim, machine)
    machine.link.trouble.insert(0, "delay")

    def die() -> None:
        sim.occurred["late_first_word"] += 1
        sim.later(90_000 / DAY_MS, lambda: sim.turn(machine, quiet=True))
        raise Killed(power=True)

    machine.link.on_sent = die


def upgrade_in_mid_push(sim: "Simulation", machine: Machine) -> None:
    """The old agent is ended between the centre's taking a push and its answer; a newer one goes on."""

    def die() -> None:
        sim.occurred["upgrade_in_mid_push"] += 1
        machine.version += 1
        machine.life.newer = True
        raise Killed(power=False)

    machine.link.on_sent = die


def disk_full(sim: "Simulation", machine: Machine) -> None:
    machine.disk.full = True
    machine.ledger.forgetful = True
    sim.later(sim.dice.uniform(0.1, 2), lambda: setattr(machine.disk, "full", False))


def bit_rot(sim: "Simulation", machine: Machine) -> None:
    machine.stop()
    machine.disk.rot()
    _spoil(sim, machine)


def truncation(sim: "Simulation", machine: Machine) -> None:
    machine.crash(sim.now_ms, power=True)
    machine.disk.truncate()
    _spoil(sim, machine)


def _spoil(sim: "Simulation", machine: Machine) -> None:
    """After a power cut that took the newest mark with it, a damaged disk may have gone back in time unnoticed."""
    machine.ledger.spoil(untold=machine.disk.mark_is_old)
    if machine.disk.mark_is_old:
        sim.disturb(machine)


def clock_back(sim: "Simulation", machine: Machine) -> None:
    machine.clock.error_ms -= sim.dice.choice((HOUR_MS, DAY_MS, 40 * DAY_MS, 9000 * DAY_MS))


def clock_forward(sim: "Simulation", machine: Machine) -> None:
    machine.clock.error_ms += sim.dice.choice((HOUR_MS, DAY_MS, 40 * DAY_MS, 4000 * DAY_MS))


def clock_frozen(sim: "Simulation", machine: Machine) -> None:
    machine.clock.frozen_ms = machine.clock.at(sim.now_ms).wall_ms


def clock_right(sim: "Simulation", machine: Machine) -> None:
    del sim
    machine.clock.error_ms, machine.clock.frozen_ms = 0, None


def dead_battery(sim: "Simulation", machine: Machine) -> None:
    """Every boot from now on begins on 1 January 2000."""
    machine.battery_dead = True
    machine.crash(sim.now_ms, power=True)


def cloned_disk(sim: "Simulation", machine: Machine) -> None:
    """Somebody copies the disk into a second PC, and both go on."""
    if len(sim.audit.machines_of(machine.station)) > 1:
        return
    sim.occurred["cloned_disk"] += 1
    sim.disturb(machine, clone=True)
    sim.clone(machine)


def old_image(sim: "Simulation", machine: Machine) -> None:
    """The station's disk is put back to an image made some days before."""
    image = machine.disk.read()
    memo_taken = machine.life.count
    sim.disturb(machine)

    def put_back() -> None:
        sim.occurred["old_image"] += 1
        machine.stop()
        machine.disk.put(image)
        machine.ledger.spoil()
        machine.ledger.replaced = True
        machine.life.journal = [each for each in machine.life.journal if each.no > memo_taken]
        machine.reboot(sim.now_ms)

    sim.later(sim.dice.uniform(0.5, 6), put_back)


def reinstall(sim: "Simulation", machine: Machine) -> None:
    """A new disk and a new key, enrolled with a new code as the same station."""
    machine.wipe()
    machine.life.journal = []
    machine.reboot(sim.now_ms)
    sim.enrol(machine)


def revoked_key(sim: "Simulation", machine: Machine) -> None:
    """The office revokes the key; days later the station is enrolled anew, with its spool as it is."""
    sim.revoke(machine)

    def again() -> None:
        machine.stop()
        sim.enrol(machine)

    sim.later(sim.dice.uniform(0.3, 4), again)


def poison(sim: "Simulation", machine: Machine) -> None:
    machine.life.happens(machine.clock, sim.now_ms, poison=True)
    sim.audit.poisoned.add(machine.life.journal[-1].name)


def forged_batch(sim: "Simulation", machine: Machine) -> None:
    """Somebody without the key, with another station's key, or with a changed copy of a true request."""
    for request in impostor(sim, machine):
        sim.centre.answer([request], sim.now_ms)


def rewritten_history(sim: "Simulation", machine: Machine) -> None:
    """Somebody with the key of the station sends other lines under numbers that are stored already."""
    request = forged_history(sim, machine)
    if request is not None:
        sim.occurred["rewritten_history"] += 1
        sim.disturb(machine)
        response = sim.centre.answer([request], sim.now_ms)[0]
        sim.expect_conflict(machine, response)


def replayed(sim: "Simulation", machine: Machine) -> None:
    """Everything seen on the way is sent once more, in another order."""
    requests = list(machine.link.seen)
    sim.dice.shuffle(requests)
    sim.centre.answer(requests, sim.now_ms)


def storm(sim: "Simulation", machine: Machine) -> None:
    """The county loses power, and comes back at one moment to a centre that is soon busy."""
    del machine
    for each in sim.audit.machines:
        each.crash(sim.now_ms, power=True)
        each.link.trouble += [sim.dice.choice(("too_many", "server_error", "loss")) for _ in range(3)]


def collector_restored(sim: "Simulation", machine: Machine) -> None:
    del machine
    backup, keys = sim.centre.tables.copy(), {each.life.who: each.key for each in sim.audit.machines}

    def restore() -> None:
        sim.occurred["collector_restored"] += 1
        sim.restore(backup)
        for each in sim.audit.machines:
            if keys.get(each.life.who) is not each.key:  # the backup does not know this key: it is enrolled once more
                sim.centre.tables.trust_anew(sim.numbers(each))

    sim.later(sim.dice.uniform(0.5, 9), restore)


def long_absence(sim: "Simulation", machine: Machine) -> None:
    machine.stop()
    machine.powered = False

    def back() -> None:
        machine.powered = True
        machine.reboot(sim.now_ms)

    sim.later(sim.dice.uniform(2, 20), back)


FAULTS: Mapping[str, Fault] = {
    "loss": _on_the_way("loss"),
    "duplicate": _on_the_way("duplicate"),
    "reorder": _on_the_way("reorder"),
    "delay": _on_the_way("delay"),
    "half_close": _on_the_way("half_close"),
    "cut_body": _on_the_way("cut_body"),
    "flipped_body": _on_the_way("flipped_body"),
    "too_many": _on_the_way("too_many"),
    "server_error": _on_the_way("server_error"),
    "bad_gateway": _on_the_way("bad_gateway"),
    "captive_portal": _on_the_way("captive_portal"),
    "small_proxy": _on_the_way("small_proxy"),
    "raced": _on_the_way("raced"),
    "outage": outage,
    "kill_agent": kill_agent,
    "kill_in_mid_write": _on_the_disk(Strike.KILL),
    "power_cut": power_cut,
    "power_cut_in_mid_write": _on_the_disk(Strike.POWER),
    "torn_write": _on_the_disk(Strike.TORN),
    "eio": _on_the_disk(Strike.EIO),
    "eio_late": _on_the_disk(Strike.EIO_LATE),
    "enospc": disk_full,
    "bit_rot": bit_rot,
    "truncation": truncation,
    "clock_back": clock_back,
    "clock_forward": clock_forward,
    "clock_frozen": clock_frozen,
    "clock_right": clock_right,
    "dead_battery": dead_battery,
    "cloned_disk": cloned_disk,
    "old_image": old_image,
    "reinstall": reinstall,
    "revoked_key": revoked_key,
    "poison": poison,
    "forged_batch": forged_batch,
    "rewritten_history": rewritten_history,
    "replayed": replayed,
    "late_first_word": late_first_word,
    "upgrade_in_mid_push": upgrade_in_mid_push,
    "storm": storm,
    "long_absence": long_absence,
    "collector_dies_before_commit": _at_the_centre("collector_dies_before_commit"),
    "collector_dies_after_commit": _at_the_centre("collector_dies_after_commit"),
    "collector_disk_full": _at_the_centre("collector_disk_full"),
    "collector_restored": collector_restored,
}
AT_ONCE = frozenset(
    {
        "kill_agent",
        "power_cut",
        "bit_rot",
        "truncation",
        "clock_back",
        "clock_forward",
        "clock_frozen",
        "clock_right",
        "dead_battery",
        "reinstall",
        "revoked_key",
        "poison",
        "forged_batch",
        "replayed",
        "storm",
        "long_absence",
    }
)
"""These have happened when they are called. The others only lie in wait, and are counted where they strike."""
RARE = frozenset(
    {
        "rewritten_history",
        "cloned_disk",
        "old_image",
        "reinstall",
        "storm",
        "collector_restored",
        "long_absence",
        "dead_battery",
    }
)
