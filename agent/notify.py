"""Tells systemd how the daemon is, where systemd is there to listen (`sd_notify`, one datagram)."""

import os
import socket


def notify_systemd(message: str) -> None:
    """Send `READY=1`, `WATCHDOG=1` or `STOPPING=1`; without systemd nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(name)
        line.sendall(message.encode())


def read_watchdog_s() -> float | None:
    """After how many seconds of silence systemd kills this process; None when it does not watch it."""
    told, whose = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not told.isdecimal() or int(told) == 0 or (whose and whose != str(os.getpid())):
        return None
    return int(told) / 1_000_000
