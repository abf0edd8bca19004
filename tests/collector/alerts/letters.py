"""One message, and handing it over on one channel."""

import asyncio
from typing import Any

from collector.alerts.channels.base import Channel, DeliveryError, Message, OpenChannel, Receipt, deliver
from collector.keys import Keys

NOW_MS = 1_788_000_000_000
SUBJECT = "▲重要 · 宝轮镇 红星村 · 磁盘快满了"
LINK = "http://centre.example.cn/tickets/3"
ACK = "http://centre.example.cn/a/x7f0_AEDAgECq"
BODY = f"▲重要 · 宝轮镇 红星村\n情况：课件盘只剩 1%\n处理人：张三 <b>\n一键受理：{ACK}\n工单 3：{LINK}"


def letter(address: str, **values: Any) -> Message:
    known: dict[str, Any] = {
        "district_id": 510802,
        "message_id": 7,
        "ticket_id": 3,
        "person_id": 2,
        "channel": "any",
        "address": address,
        "subject": SUBJECT,
        "body": BODY,
        "data": {"action": "opened", "ticket": 3, "link": LINK, "acknowledge": ACK},
        "tries": 1,
        "created_ms": NOW_MS,
    }
    return Message(**{**known, **values})


def hand_over(
    channel: Channel, keys: Keys, address: str, *, now_ms: int = NOW_MS, **values: Any
) -> Receipt | DeliveryError:
    """One attempt over a channel opened for it."""
    send = channel.open(keys)
    assert send is not None
    return asyncio.run(deliver(OpenChannel(channel, send, keys), letter(address, **values), now_ms=now_ms))
