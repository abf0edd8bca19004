"""Cranks come round, survive what they turn, and are found when they do not."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cranks import Crank, find_stuck
from agent.notify import notify_systemd, read_watchdog_s
from shared.clock import Instant
from tests.clocks import ManualClock


def crank(turn: Callable[[Instant], None], clock: ManualClock, stop: threading.Event) -> Crank:
    return Crank("look", turn, every_s=0.001, clock=clock, stop=stop)


def test_a_crank_that_comes_round_is_well(clock: ManualClock) -> None:
    stop, turns = threading.Event(), threading.Semaphore(0)
    made = crank(lambda _: turns.release(), clock, stop)
    made.start()
    clock.advance(minutes=10)
    assert all(turns.acquire(timeout=10) for _ in range(3))
    assert find_stuck([made], clock.now(), limit_s=1) == []
    stop.set()
    made.join(10)
    assert not made.is_alive()


def test_one_that_hangs_is_found(clock: ManualClock) -> None:
    stop, free = threading.Event(), threading.Event()

    def hang(_: Instant) -> None:
        free.wait(10)

    made = crank(hang, clock, stop)
    made.start()
    clock.advance(seconds=61)
    assert find_stuck([made], clock.now(), limit_s=60) == ["look"]
    stop.set()
    free.set()
    made.join(10)


def test_one_that_fails_is_turned_again_but_does_not_count_as_well(clock: ManualClock) -> None:
    stop, turns = threading.Event(), threading.Semaphore(0)

    def fail(_: Instant) -> None:
        turns.release()
        raise OSError("the disk is gone")

    made = crank(fail, clock, stop)
    made.start()
    clock.advance(seconds=61)
    assert all(turns.acquire(timeout=10) for _ in range(3))
    assert find_stuck([made], clock.now(), limit_s=60) == ["look"]
    stop.set()
    made.join(10)


@pytest.mark.parametrize(
    ("told", "whose", "seconds"),
    [
        ("300000000", "", 300.0),
        ("300000000", str(os.getpid()), 300.0),
        ("300000000", "1", None),
        ("", "", None),
        ("0", "", None),
        ("soon", "", None),
    ],
    ids=["to all", "to us", "to another", "nothing", "zero", "nonsense"],
)
def test_the_watchdog_is_the_one_systemd_announced_to_us(
    monkeypatch: pytest.MonkeyPatch, told: str, whose: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", told)
    monkeypatch.setenv("WATCHDOG_PID", whose)
    assert read_watchdog_s() == seconds


def test_systemd_hears_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify_systemd("READY=1")
        assert ear.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify_systemd("READY=1")
