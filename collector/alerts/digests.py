"""Sums up several messages to one destination in one, when its budget does not stretch to each. Pure."""

from collections.abc import Sequence

from collector.alerts.channels.base import Message
from collector.alerts.messages import Text

_AT_MOST = 10


def sum_up(messages: Sequence[Message]) -> Text:
    """All of it in one: what, where, and a link for each of the first ones; for the rest the list of tickets."""
    lines = [f"有 {len(messages)} 条消息一起发给您："]
    for number, each in enumerate(messages[:_AT_MOST], 1):
        link = each.data.get("acknowledge") or each.data.get("link") or ""
        lines.append(f"{number}. {each.subject} {link}".rstrip())
    overview = next((each.data["list"] for each in messages if each.data.get("list")), "")
    if overview:
        left = len(messages) - _AT_MOST
        lines.append(f"{f'另有 {left} 条，' if left > 0 else ''}全部工单：{overview}")
    data = {
        "action": "summed_up",
        "messages": [each.message_id for each in messages],
        "tickets": sorted({each.ticket_id for each in messages if each.ticket_id is not None}),
        "link": overview,
    }
    return Text(f"{len(messages)} 条消息汇总：{messages[0].subject} 等", "\n".join(lines), data)
