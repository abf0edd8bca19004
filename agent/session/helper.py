"""The command `yuanjiao-agent session`: watches the desktop session it runs in until it is told to stop.

It loads no pydantic: every village PC runs it all day beside a film (`bench/agent_footprint.py`).
"""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Any

from agent.session import sound
from agent.session.mail import Mail
from agent.session.resuming import Memory
from agent.session.watch import Watch
from shared.clock import Clock

log = logging.getLogger("yuanjiao.session")

SOUND_S = 60
MAX_ORDERS = 4
_BUS_AGAIN_S = 10


def run(socket: Path, clock: Clock) -> None:
    """Until SIGTERM or SIGINT."""
    asyncio.run(_run(socket, clock))


async def _run(socket: Path, clock: Clock) -> None:
    mail = Mail(socket)
    stop, orders = asyncio.Event(), asyncio.Queue[dict[str, Any]](MAX_ORDERS)
    mail.heed = lambda order: _note(order, orders, stop)
    tasks = (mail.run(), _watch(Watch(clock, mail.tell, _memory())), _listen(mail, clock), _obey(mail, clock, orders))
    work = [asyncio.ensure_future(each) for each in tasks]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("session.started socket=%s", socket)
    stopping = asyncio.ensure_future(stop.wait())
    # None of them ends by itself; one that does is a defect, and systemd begins anew.
    await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
    broken = [each for each in work if each.done()]
    for each in work:
        each.cancel()
    for each in broken:
        each.result()


def _memory() -> Memory:
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Memory(Path(folder) / "yuanjiao-players.json" if folder else None)


async def _watch(watch: Watch) -> None:
    while True:
        with contextlib.suppress(OSError, ValueError, EOFError):
            await watch.run()
        await asyncio.sleep(_BUS_AGAIN_S)


def _note(order: dict[str, Any], orders: asyncio.Queue[dict[str, Any]], stop: asyncio.Event) -> None:
    """Told to begin anew, the helper ends: systemd starts it again."""
    if order["do"] == "restart":
        stop.set()
    elif not orders.full():
        orders.put_nowait(order)


async def _obey(mail: Mail, clock: Clock, orders: asyncio.Queue[dict[str, Any]]) -> None:
    """Change the sound as ordered, and show at once what came of it."""
    while True:
        order = await orders.get()
        await asyncio.to_thread(sound.change, order)
        picture = await asyncio.to_thread(sound.look, clock.now())
        if picture is not None:
            mail.tell_sound(picture)


async def _listen(mail: Mail, clock: Clock) -> None:
    while True:
        picture = await asyncio.to_thread(sound.look, clock.now())
        if picture is not None:
            mail.tell_sound(picture)
        await asyncio.sleep(SOUND_S)
