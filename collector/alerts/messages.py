"""Puts a ticket's change into words: severity · 乡镇 村 · what is seen · since when · who handles it · link. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from collector.faults.rules.base import Card, Severity
from collector.faults.service import list_cards
from collector.people.queries import Person, Role
from collector.tickets.queries import Change, Ticket
from collector.tickets.service import describe, explain
from collector.tickets.words import ACTIONS, SEVERITIES, Action
from shared.months import local

_QUIET_FROM, _QUIET_TO = time(22), time(7)
_WAKES = frozenset(
    {Action.OPENED, Action.REOPENED, Action.WORSENED, Action.UNCONFIRMED, Action.REASSIGNED, Action.ESCALATED}
)


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str
    data: Mapping[str, Any]


def write(ticket: Ticket, change: Change, *, reader: Person, handler: Person | None, public_url: str) -> Text:
    """The message for one reader. The operator at the station gets the plain hint, others that for the "1"."""
    severity = SEVERITIES[ticket.severity]
    seen = describe(ticket)
    head = f"{severity.shape}{severity.word}" if ticket.open else f"●{ACTIONS[Action.CLOSED]}"
    link = f"{public_url.rstrip('/')}/tickets/{ticket.ticket_id}"
    lines = [
        f"{head} · {ticket.place}",
        f"情况：{seen}",
        f"开始：{_moment(ticket.since_ms)}",
        f"处理人：{'暂无人可派' if handler is None else handler.name}",
        *_more(ticket, change, reader),
        f"工单 {ticket.ticket_id}：{link}",
    ]
    data = {
        "action": change.action,
        "district": ticket.district_id,
        "ticket": ticket.ticket_id,
        "version": change.version,
        "rule": ticket.rule,
        "category": ticket.category,
        "severity": ticket.severity,
        "station": ticket.station_id,
        "place": ticket.place,
        "seen": seen,
        "since_ms": ticket.since_ms,
        "handler": None if handler is None else handler.name,
        "link": link,
    }
    return Text(f"{head} · {ticket.place} · {_title(ticket)}{_suffix(change)}", "\n".join(lines), data)


def earliest(ticket: Ticket, change: Change, *, zone: ZoneInfo, now_ms: int) -> int:
    """When the message may go out. At night only critical news wakes people; the rest waits for the morning."""
    if ticket.severity is Severity.CRITICAL and change.action in _WAKES:
        return now_ms
    here = local(now_ms, zone)
    if _QUIET_TO <= here.time() < _QUIET_FROM:
        return now_ms
    day = here.date() + timedelta(days=1) if here.time() >= _QUIET_FROM else here.date()
    return int(datetime.combine(day, _QUIET_TO, zone).timestamp() * 1000)


def _more(ticket: Ticket, change: Change, reader: Person) -> list[str]:
    lines = [f"说明：{note}" for note in (explain(change), change.note) if note]
    card = _card(ticket)
    if ticket.open and card is not None:
        lines.append(f"提示：{card.hint_plain if reader.role is Role.PLAIN else card.hint_backbone}")
    return lines


def _title(ticket: Ticket) -> str:
    card = _card(ticket)
    return ticket.rule if card is None else card.title


def _card(ticket: Ticket) -> Card | None:
    return list_cards().get(ticket.rule)


def _suffix(change: Change) -> str:
    return "" if change.action in {Action.OPENED, Action.CLOSED} else f"（{ACTIONS[change.action]}）"


def _moment(ms: int) -> str:
    moment = local(ms)
    return f"{moment.month}月{moment.day}日 {moment:%H:%M}"
