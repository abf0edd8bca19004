"""What the centre orders reaches the helper over the agent's socket, and the helper's mail goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.session import helper
from agent.session.mail import Mail
from tests.agent.session.ear import Ear
from tests.clocks import ManualClock


@pytest.fixture
def ear(tmp_path: Path, clock: ManualClock) -> Iterator[Ear]:
    opened = Ear(tmp_path, clock)
    opened.listener.start()
    yield opened
    opened.listener.close()


async def until(happened: Any) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - what is waited for lies in another thread
            await asyncio.sleep(0.02)


def test_an_order_is_heeded_and_the_mail_goes_on(ear: Ear) -> None:
    heard: list[dict[str, Any]] = []

    async def story() -> None:
        mail = Mail(ear.listener.address, heed=heard.append)
        running = asyncio.ensure_future(mail.run())
        await until(lambda: ear.listener.peers)
        ear.listener.order({"do": "set_volume", "volume": 0.6})
        await until(lambda: heard)
        mail.tell({"tell": "nothing anybody knows"})
        await until(lambda: not mail.waiting)
        running.cancel()

    asyncio.run(story())

    assert heard == [{"do": "set_volume", "volume": 0.6}]


def test_told_to_begin_anew_the_helper_ends() -> None:
    async def story() -> bool:
        stop = asyncio.Event()
        helper._note({"do": "restart"}, asyncio.Queue(1), stop)
        return stop.is_set()

    assert asyncio.run(story())


def test_a_flood_of_orders_is_cut() -> None:
    async def story() -> int:
        orders = asyncio.Queue[dict[str, Any]](helper.MAX_ORDERS)
        for _ in range(100):
            helper._note({"do": "unmute"}, orders, asyncio.Event())
        return orders.qsize()

    assert asyncio.run(story()) == helper.MAX_ORDERS


def test_an_order_is_carried_out_and_what_came_of_it_is_told(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[dict[str, Any]] = []
    monkeypatch.setattr("agent.session.sound.change", done.append)
    monkeypatch.setattr("agent.session.sound.look", lambda now: {"tell": "sound", "mono": now.mono_ms})

    async def story() -> bytes | None:
        mail, orders = Mail(tmp_path / "nobody"), asyncio.Queue[dict[str, Any]](1)
        obeying = asyncio.ensure_future(helper._obey(mail, clock, orders))
        orders.put_nowait({"do": "unmute"})
        await until(lambda: mail.sound)
        obeying.cancel()
        return mail.sound

    assert asyncio.run(story()) == b'{"tell":"sound","mono":600000}\n'
    assert done == [{"do": "unmute"}]
