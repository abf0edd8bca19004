"""What people do with tickets. Every change is made only at the version the person saw, and leaves a line of history.

What the machine does with them (opening, verifying, closing) is in `collector.tickets.settling`.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from collector.db.engine import Connection
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.faults.rules.base import Translate
from collector.faults.service import list_cards
from collector.people import queries as people
from collector.people.queries import Person, Role
from collector.tickets import queries
from collector.tickets.ladder import load_pace
from collector.tickets.queries import Change, Ticket
from collector.tickets.routing import Step
from collector.tickets.words import ACTIONS, STATES, STEPS, Action, TicketState

_IN_WORK = frozenset({TicketState.OPEN, TicketState.ACKNOWLEDGED, TicketState.WAITING})
_ALLOWED: Mapping[Action, frozenset[TicketState]] = {
    Action.ACKNOWLEDGED: _IN_WORK,
    Action.COMMENTED: frozenset(TicketState) - {TicketState.CLOSED},
    Action.REASSIGNED: _IN_WORK | {TicketState.VERIFYING},
    Action.WAITED: _IN_WORK,
    Action.RESOLVED: _IN_WORK | {TicketState.VERIFYING},
}
_ROUTED = frozenset({Action.OPENED, Action.REOPENED, Action.ESCALATED})
_HOW = {"self_recovered": "设备自行恢复", "confirmed": "修复已获证实"}


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
    if promised_ms <= now_ms:
        raise BadInputError("预计修好的时间必须晚于现在。请重新选择。")
    return await _change(
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
            "due_ms": promised_ms,
            "assignee_id": person_id,
            "step": _step_with(ticket, await people.get_person(connection, ticket.district_id, person_id)),
        },
    )


async def comment(
    connection: Connection, ticket: Ticket, *, person_id: int, version: int, note: str, now_ms: int
) -> Ticket:
    """Write something into the history."""
    _require_text(note, "请写下备注内容。")
    return await _change(
        connection, ticket, Action.COMMENTED, person_id=person_id, version=version, now_ms=now_ms, note=note
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
    """Put the ticket aside until a day, for a reason."""
    _require_text(reason, "请写明挂起的原因，例如：等待配件。")
    if until_ms <= now_ms:
        raise BadInputError("挂起的截止时间必须晚于现在。请重新选择。")
    return await _change(
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
    return await _change(
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


async def resolve(
    connection: Connection,
    ticket: Ticket,
    *,
    person_id: int,
    version: int,
    cause: str,
    done: str,
    on_site: bool,
    parts: str = "",
    now_ms: int,
) -> Ticket:
    """Report it fixed. The ticket closes only when the machine confirms that the fault is gone."""
    _require_text(cause, "请填写故障原因。")
    _require_text(done, "请填写处理办法。")
    verifying_ms = ticket.recovered_ms if ticket.state is TicketState.VERIFYING else None
    resolution = {"cause": cause, "done": done, "parts": parts, "on_site": on_site, "person_id": person_id}
    return await _change(
        connection,
        ticket,
        Action.RESOLVED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=done,
        data=resolution,
        values={
            "state": TicketState.VERIFYING,
            "recovered_ms": verifying_ms or now_ms,
            "due_ms": None,
            "resolution": resolution,
        },
    )


async def share_below_centre(
    connection: Connection, district_id: int, *, from_ms: int, to_ms: int, area_id: UUID | None = None
) -> float | None:
    """The headline figure: of faults found in this period and decided, the share closed before the centre's rung.

    None: nothing is decided yet. `area_id` looks at one township.
    """
    outcomes = await queries.list_outcomes(
        connection, district_id, from_ms=from_ms, to_ms=to_ms, centre_step=Step.CENTRE
    )
    mine = [each for each in outcomes if area_id is None or each.area_id == area_id]
    faults = sum(each.faults for each in mine)
    return sum(each.below_centre for each in mine) / faults if faults else None


def _step_with(ticket: Ticket, person: Person | None) -> int:
    """A ticket the centre has in hand has reached the centre, whichever way it came."""
    return Step.CENTRE if person is not None and person.role is Role.CENTRE else ticket.step


async def _change(
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


def _require_text(text: str, advice: str) -> None:
    if not text.strip():
        raise BadInputError(advice)
