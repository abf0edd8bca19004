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
from collector.tickets.words import ACTIONS, SEVERITIES, Action, TicketState
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


def write(
    ticket: Ticket, change: Change, *, reader: Person, handler: Person | None, public_url: str, token: str = ""
) -> Text:
    """The message for one reader. The operator at the station gets the plain hint, others that for the "1".

    With a `token` it carries the link that acknowledges at one tap. Links stand last: what is cut stands before them.
    """
    severity = SEVERITIES[ticket.severity]
    seen = describe(ticket)
    head = f"{severity.shape}{severity.word}" if ticket.open else f"●{ACTIONS[Action.CLOSED]}"
    tickets = f"{public_url.rstrip('/')}/tickets"
    link = f"{tickets}/{ticket.ticket_id}"
    acknowledge = f"{public_url.rstrip('/')}/a/{token}" if token else ""
    lines = [
        f"{head} · {ticket.place}",
        f"情况：{seen}",
        f"开始：{_moment(ticket.since_ms)}",
        f"处理人：{'暂无人可派' if handler is None else handler.name}",
        *_more(ticket, change, reader),
        *([f"一键受理：{acknowledge}"] if acknowledge else []),
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
        "acknowledge": acknowledge,
        "list": tickets,
    }
    return Text(f"{head} · {ticket.place} · {_title(ticket)}{_suffix(change)}", "\n".join(lines), data)


def wakes(ticket: Ticket, change: Change) -> bool:
    """Whether this is worth somebody's sleep: critical news, not the end of it."""
    return ticket.severity is Severity.CRITICAL and change.action in _WAKES


def earliest(ticket: Ticket, change: Change, *, zone: ZoneInfo, now_ms: int) -> int:
    """When the message may go out."""
    return now_ms if wakes(ticket, change) else after_quiet(now_ms, zone)


def awaits(ticket: Ticket, reader: Person) -> bool:
    """Whether the ticket waits for somebody to take it on, and this reader may."""
    return ticket.open and ticket.state is TicketState.OPEN and reader.role is not Role.LEADER


def after_quiet(now_ms: int, zone: ZoneInfo) -> int:
    """Now, or at night the morning, when what wakes nobody may go out."""
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
