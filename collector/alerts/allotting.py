"""Decides what of the due messages goes out now, what waits, what is summed up, and where a failed one goes next.

A destination's budget is what the other side bears (a robot is deaf for ten minutes after its twentieth message), a
person's what a human bears, a purse's what the office pays. Critical news does not wait for a person's budget. What
no budget stretches to waits for the next token and then goes out as one digest; nothing is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from collector.alerts import budgets, digests, queries
from collector.alerts.budgets import PERSON, Level
from collector.alerts.channels.base import Budget, Channel, DeliveryError, Message, OpenChannel
from collector.alerts.messages import after_quiet
from collector.alerts.queries import Due, NewMessage, Rank, State, Ways
from collector.db.engine import Connection

_MOST_FOLDED = 500


@dataclass(slots=True)
class _Purses:
    """Every bucket this round may touch: whose it is, its budget, its level."""

    now_ms: int
    levels: dict[str, Level] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)

    def try_take(self, costs: Mapping[str, int]) -> int | None:
        """Take from all these buckets, or from none. None: done; else when to come back, epoch ms."""
        after = {name: budgets.take(self.levels[name], self._within(name, cost)) for name, cost in costs.items()}
        short = [name for name, level in after.items() if level is None]
        if short:
            return max(budgets.next_ms(self.levels[each], self.budgets[each], costs[each]) for each in short)
        self.levels |= {name: level for name, level in after.items() if level is not None}
        return None

    def _within(self, name: str, cost: int) -> int:
        """What costs more than a bucket can ever hold empties it."""
        return min(cost, self.budgets[name].most)


async def allot(
    connection: Connection,
    district_id: int,
    due: Sequence[Due],
    *,
    channels: Mapping[str, OpenChannel],
    lease_ms: int,
    now_ms: int,
    zone: ZoneInfo,
) -> list[Due]:
    """The messages to send now, each leased; the others are given back with the time to come again."""
    morning_ms = after_quiet(now_ms, zone)
    awake = [each for each in due if each.wakes or morning_ms <= now_ms]
    for each in due:
        if not each.wakes and morning_ms > now_ms:
            await queries.give_back(connection, each.message, not_before_ms=morning_ms, now_ms=now_ms)
    purses = await _open_purses(connection, district_id, awake, channels, now_ms)
    going: list[Due] = []
    for (channel, address), group in _by_address(awake).items():
        single, rest, back_ms = _share_out(group, purses, channels)
        if rest and single and not single[-1].wakes:
            more = await queries.claim(
                connection,
                district_id,
                lease_ms=lease_ms,
                now_ms=now_ms,
                limit=_MOST_FOLDED,
                only=(channel, address),
            )
            folded = [single.pop(), *rest, *more]
            going.append(await _fold(connection, folded, lease_ms=lease_ms, now_ms=now_ms))
            rest = []
        going += single
        for each in rest:
            await queries.give_back(connection, each.message, not_before_ms=back_ms, now_ms=now_ms)
    await queries.put_levels(connection, district_id, purses.levels)
    return sorted(going, key=lambda each: (each.rank, each.message.message_id))


async def fail(
    connection: Connection, due: Due, problem: DeliveryError, channels: Mapping[str, OpenChannel], now_ms: int
) -> None:
    """The message has failed for good on its channel: the next one takes over, or the district must see it."""
    ways = [way for way in due.rest if way[0] in channels]
    state = State.MOVED if ways else State.FAILED
    if await queries.give_up(connection, due.message, error=str(problem), state=state) and ways:
        await follow(connection, due, ways, now_ms)


async def follow(connection: Connection, due: Due, ways: Ways, now_ms: int) -> None:
    """Have the same news go out on the next of these ways."""
    message = due.message
    new = NewMessage(
        ticket_id=message.ticket_id,
        person_id=message.person_id,
        ways=ways,
        subject=message.subject,
        body=message.body,
        data=message.data,
        rank=Rank(due.rank),
        wakes=due.wakes,
        follows_id=message.message_id,
    )
    await queries.add_message(connection, message.district_id, new, now_ms=now_ms, not_before_ms=now_ms)


async def leave_alone(connection: Connection, message: Message, channel: Channel, *, wait_s: int, now_ms: int) -> None:
    """The other side has had enough: nothing more goes to this destination for a while."""
    budget = channel.budget or PERSON
    name = _to(message, channel)
    levels = await queries.lock_levels(connection, message.district_id, {name: budgets.full(budget, now_ms)})
    level = budgets.refill(levels[name], budget, now_ms)
    blocked = budgets.block(level, now_ms + wait_s * 1000)
    await queries.put_levels(connection, message.district_id, {name: blocked})


def _share_out(
    group: Sequence[Due], purses: _Purses, channels: Mapping[str, OpenChannel]
) -> tuple[list[Due], list[Due], int]:
    """What goes out each by itself, what is left, and when to come back for that. Critical news goes first."""
    ordered = sorted(group, key=lambda each: not each.wakes)
    for number, each in enumerate(ordered):
        back_ms = purses.try_take(_costs(each, channels[each.message.channel]))
        if back_ms is not None:
            return ordered[:number], ordered[number:], back_ms
    return ordered, [], 0


async def _fold(connection: Connection, folded: Sequence[Due], *, lease_ms: int, now_ms: int) -> Due:
    """One digest in the place of these. It takes the way on that the first of them has."""
    first = folded[0].message
    text = digests.sum_up([each.message for each in folded])
    new = NewMessage(
        ticket_id=None,
        person_id=first.person_id,
        ways=[(first.channel, first.address), *folded[0].rest],
        subject=text.subject,
        body=text.body,
        data=text.data,
        rank=Rank.DIGEST,
        wakes=any(each.wakes for each in folded),
    )
    digest = await queries.add_message(
        connection, first.district_id, new, now_ms=now_ms, not_before_ms=now_ms, lease_ms=lease_ms
    )
    numbers = [each.message.message_id for each in folded]
    await queries.fold(connection, first.district_id, numbers, digest.message_id)
    return Due(digest, new.wakes, Rank.DIGEST, folded[0].rest, gone=False)


async def _open_purses(
    connection: Connection,
    district_id: int,
    due: Sequence[Due],
    channels: Mapping[str, OpenChannel],
    now_ms: int,
) -> _Purses:
    purses = _Purses(now_ms)
    for each in due:
        purses.budgets |= _budgets(each, channels[each.message.channel])
    full = {name: budgets.full(budget, now_ms) for name, budget in purses.budgets.items()}
    levels = await queries.lock_levels(connection, district_id, full)
    purses.levels = {name: budgets.refill(levels[name], budget, now_ms) for name, budget in purses.budgets.items()}
    return purses


def _budgets(due: Due, opened: OpenChannel) -> dict[str, Budget]:
    """The buckets a message takes from. A destination without a budget of its own has one only while it is blocked."""
    message, channel = due.message, opened.channel
    found = {_to(message, channel): channel.budget or Budget(most=10_000, every_ms=1)}
    if channel.for_people and not due.wakes:
        found[f"person/{message.person_id}/{message.channel}"] = PERSON
    bill = channel.bill(opened.keys)
    if bill is not None:
        found[f"bill/{message.channel}"] = bill
    return found


def _costs(due: Due, opened: OpenChannel) -> dict[str, int]:
    cost = opened.channel.cost(opened.keys, due.message)
    return {name: cost if name.startswith("bill/") else 1 for name in _budgets(due, opened)}


def _to(message: Message, channel: Channel) -> str:
    return f"to/{message.channel}/{channel.destination(message.address)}"


def _by_address(due: Sequence[Due]) -> dict[tuple[str, str], list[Due]]:
    found: dict[tuple[str, str], list[Due]] = {}
    for each in due:
        found.setdefault((each.message.channel, each.message.address), []).append(each)
    return found
