"""What people do with tickets. Every change is made only at the version the person saw, and leaves a line of history.

What the machine does with them (opening, verifying, closing) is in `collector.tickets.settling`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from collector.db.engine import Connection
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.faults.rules.base import Translate
from collector.faults.service import list_cards
from collector.people import queries as people
from collector.people.queries import Person, Role
from collector.tickets import ended_queries, queries
from collector.tickets.ladder import load_pace
from collector.tickets.queries import Change, Ticket
from collector.tickets.routing import Step
from collector.tickets.words import ACTIONS, REPORTED, STATES, STEPS, Action, TicketState

LATEST_MS = 366 * 86_400_000
_IN_WORK = frozenset({TicketState.OPEN, TicketState.ACKNOWLEDGED, TicketState.WAITING})
_ALLOWED: Mapping[Action, frozenset[TicketState]] = {
    Action.ACKNOWLEDGED: _IN_WORK,
    Action.COMMENTED: frozenset(TicketState) - {TicketState.CLOSED},
    Action.REASSIGNED: _IN_WORK | {TicketState.VERIFYING},
    Action.WAITED: _IN_WORK,
    Action.RESOLVED: _IN_WORK | {TicketState.VERIFYING},
    Action.UNACKNOWLEDGED: frozenset({TicketState.ACKNOWLEDGED, TicketState.WAITING}),
    Action.MERGED: frozenset(TicketState) - {TicketState.CLOSED},
    Action.SPLIT: frozenset(TicketState) - {TicketState.CLOSED},
    Action.LINKED: frozenset(TicketState),
    Action.PHOTO_REMOVED: frozenset(TicketState),
    Action.REOPENED: frozenset({TicketState.CLOSED}),
    Action.CLOSED: _IN_WORK,
}
_OUT_OF_WORK = frozenset(
    {Action.ACKNOWLEDGED, Action.REASSIGNED, Action.WAITED, Action.RESOLVED, Action.UNACKNOWLEDGED, Action.CLOSED}
)
"""What cannot be done to a ticket that lies under another: do it to that one."""
_ROUTED = frozenset({Action.OPENED, Action.REOPENED, Action.ESCALATED})
_HOW = {"self_recovered": "设备自行恢复", "confirmed": "修复已获证实", "by_hand": "由处理人办结"}


async def require_ticket(connection: Connection, district_id: int, ticket_id: int) -> Ticket:
    ticket = await queries.get_ticket(connection, district_id, ticket_id)
    if ticket is None:
        raise NotFoundError(f"没有编号为 {ticket_id} 的工单。请从工单列表进入。")
    return ticket


def describe(ticket: Ticket, translate: Translate = str) -> str:
    """The sentence that says what was seen."""
    card = list_cards().get(ticket.rule)
    return ticket.rule if card is None else card.finding(ticket.facts, translate)


def explain(change: Change, translate: Translate = str) -> str:
    """What a line of history means beyond its word and note, for the machine's own acts. Often nothing."""
    told: list[str] = []
    if skipped := change.data.get("skipped"):
        names = translate("、").join(translate(STEPS[step]) for step in skipped)
        told.append(translate("{steps}无人可派").format(steps=names))
    if change.action in _ROUTED and change.data.get("to_id") is not None:
        told.append(translate("派给{step}").format(step=translate(STEPS[change.data["step"]])))
    if change.data.get("left"):
        told.append(translate("原处理人已离岗或请假"))
    if change.action is Action.NUDGED:
        told.append(translate("今天是预计修好的日子"))
    if change.data.get("into_id"):
        told.append(translate("主工单 {number}").format(number=change.data["into_id"]))
    if change.data.get("other_id"):
        told.append(translate("工单 {number}").format(number=change.data["other_id"]))
    if change.action is Action.ASKED:
        told.append(translate("已到预计修好的时间。请办结，或重新填写预计时间；一个工作日内没有答复将升级"))
    if how := change.data.get("how"):
        told.append(translate(_HOW[how]))
    return translate("，").join(told)


async def acknowledge(
    connection: Connection,
    ticket: Ticket,
    *,
    person_id: int,
    version: int,
    promised_ms: int,
    note: str = "",
    now_ms: int,
) -> Ticket:
    """Take the ticket on, with the day it will be fixed: the ladder rests until then, and asks.

    Whoever acknowledges becomes its assignee.
    """
    _require_near(promised_ms, now_ms, "预计修好的时间必须晚于现在。请重新选择。")
    pace = await load_pace(connection, ticket.district_id)
    return await change_by_hand(
        connection,
        ticket,
        Action.ACKNOWLEDGED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=note,
        data={"promised_ms": promised_ms, "from_id": ticket.assignee_id},
        values={
            "state": TicketState.ACKNOWLEDGED,
            "acknowledged_ms": now_ms,
            "promised_ms": promised_ms,
            "due_ms": pace.promise(promised_ms, now_ms),
            "assignee_id": person_id,
            "step": _step_with(ticket, await people.get_person(connection, ticket.district_id, person_id)),
        },
    )


async def comment(
    connection: Connection,
    ticket: Ticket,
    *,
    person_id: int,
    version: int,
    note: str,
    photos: Sequence[int] = (),
    now_ms: int,
) -> Ticket:
    """Write something into the history, or add photos to it, or both."""
    if not photos:
        require_text(note, "请写下备注内容，或选择照片。")
    return await change_by_hand(
        connection,
        ticket,
        Action.COMMENTED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=note,
        data={"photos": list(photos)} if photos else None,
    )


async def wait(
    connection: Connection,
    ticket: Ticket,
    *,
    person_id: int,
    version: int,
    until_ms: int,
    reason: str,
    now_ms: int,
) -> Ticket:
    """Put the ticket aside until a day, for a reason. Its ladder rests until then, and asks."""
    require_text(reason, "请写明挂起的原因，例如：等待配件。")
    _require_near(until_ms, now_ms, "挂起的截止时间必须晚于现在。请重新选择。")
    return await change_by_hand(
        connection,
        ticket,
        Action.WAITED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=reason,
        data={"until_ms": until_ms},
        values={"state": TicketState.WAITING, "promised_ms": until_ms, "due_ms": until_ms},
    )


async def reassign(
    connection: Connection,
    ticket: Ticket,
    *,
    person_id: int,
    version: int,
    assignee_id: int,
    note: str = "",
    now_ms: int,
) -> Ticket:
    """Hand the ticket to another person, who is told, and who has the whole wait of the rung to acknowledge."""
    assignee = await people.get_person(connection, ticket.district_id, assignee_id)
    if assignee is None:
        raise BadInputError("没有这个人。请从名单里重新选择。")
    if assignee_id == ticket.assignee_id:
        raise BadInputError(f"工单已经由{assignee.name}处理。请选择另一个人。")
    values: dict[str, Any] = {"assignee_id": assignee_id, "step": _step_with(ticket, assignee)}
    if ticket.state is TicketState.OPEN and ticket.due_ms is not None:
        pace = await load_pace(connection, ticket.district_id)
        values["due_ms"] = pace.wait(values["step"], now_ms)
    return await change_by_hand(
        connection,
        ticket,
        Action.REASSIGNED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=note,
        data={"from_id": ticket.assignee_id, "to_id": assignee_id},
        values=values,
        told=False,
    )


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done. `helped` is the hint that mended it: plain, backbone or other; empty when nobody said."""

    cause: str
    done: str
    on_site: bool
    parts: str = ""
    helped: str = ""


async def resolve(
    connection: Connection, ticket: Ticket, repair: Repair, *, person_id: int, version: int, now_ms: int
) -> Ticket:
    """Report it fixed. The machine closes the ticket when it confirms that the fault is gone.

    Nothing but people can see a fault that people have reported, or one that has happened: that ticket is closed at
    once.
    """
    require_text(repair.cause, "请填写故障原因。")
    require_text(repair.done, "请填写处理办法。")
    verifying_ms = ticket.recovered_ms if ticket.state is TicketState.VERIFYING else None
    resolution = {
        "cause": repair.cause,
        "done": repair.done,
        "parts": repair.parts,
        "on_site": repair.on_site,
        "person_id": person_id,
    }
    card = list_cards().get(ticket.rule)
    by_word = ticket.rule == REPORTED or (card is not None and card.by_word)
    values: dict[str, Any] = {"due_ms": None, "resolution": resolution, "helped": repair.helped or None}
    if by_word:
        values |= {"state": TicketState.CLOSED, "open": False, "closed_ms": now_ms}
    else:
        values |= {"state": TicketState.VERIFYING, "recovered_ms": verifying_ms or now_ms}
    return await change_by_hand(
        connection,
        ticket,
        Action.CLOSED if by_word else Action.RESOLVED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=repair.done,
        data={**resolution, **({"how": "by_hand"} if by_word else {})},
        values=values,
        told=not by_word,
    )


async def share_below_centre(
    connection: Connection, district_id: int, *, from_ms: int, to_ms: int, area_id: UUID | None = None
) -> float | None:
    """The headline figure: of faults found in this period and decided, the share closed before the centre's rung.

    None: nothing is decided yet. `area_id` looks at one township.
    """
    outcomes = await ended_queries.list_outcomes(
        connection, district_id, from_ms=from_ms, to_ms=to_ms, centre_step=Step.CENTRE
    )
    mine = [each for each in outcomes if area_id is None or each.area_id == area_id]
    faults = sum(each.faults for each in mine)
    return sum(each.below_centre for each in mine) / faults if faults else None


def _step_with(ticket: Ticket, person: Person | None) -> int:
    """A ticket the centre has in hand has reached the centre, whichever way it came."""
    return Step.CENTRE if person is not None and person.role is Role.CENTRE else ticket.step


async def change_by_hand(
    connection: Connection,
    ticket: Ticket,
    action: Action,
    *,
    person_id: int,
    version: int,
    now_ms: int,
    note: str = "",
    data: dict[str, Any] | None = None,
    values: dict[str, Any] | None = None,
    told: bool = True,
) -> Ticket:
    """Change and write history, or raise ConflictError when the state forbids it or somebody was quicker."""
    if ticket.merged_into is not None and action in _OUT_OF_WORK:
        raise ConflictError(f"工单已并入工单 {ticket.merged_into}。请到那个工单上处理，或先恢复为单独工单。")
    if ticket.version == version and ticket.state not in _ALLOWED[action]:
        state, verb = STATES[ticket.state].word, ACTIONS[action]
        raise ConflictError(f"工单 {ticket.ticket_id} 现在是“{state}”，不能再“{verb}”。请刷新页面查看最新情况。")
    changed = await queries.change_ticket(connection, ticket, version=version, **(values or {}))
    if changed is None:
        raise ConflictError(f"工单 {ticket.ticket_id} 刚刚有了新的变化。请刷新页面，看过最新内容后再操作。")
    await queries.add_change(
        connection, changed, action, person_id=person_id, now_ms=now_ms, note=note.strip(), data=data, told=told
    )
    return changed


def _require_near(day_ms: int, now_ms: int, advice: str) -> None:
    """The ladder rests until the day a person names: it must come, and be one somebody will still think of."""
    if day_ms <= now_ms:
        raise BadInputError(advice)
    if day_ms > now_ms + LATEST_MS:
        raise BadInputError("日期最晚只能是一年以后。请选近一些的日期，到时可以再改。")


def require_text(text: str, advice: str) -> None:
    if not text.strip():
        raise BadInputError(advice)
