"""Stories of the ladder 1+X: what nobody takes on climbs, and nights and holidays do not count."""

from datetime import datetime

from collector.areas import queries as areas
from collector.people import queries as people
from collector.tickets import queries, service
from collector.tickets.queries import Ticket
from collector.tickets.words import Action, TicketState
from shared.months import BEIJING
from tests.scenarios.harness import District

AIGUO = "宝轮镇 爱国社区"
ONE, OFFICE, NEIGHBOUR, DIRECTOR = "宝轮镇骨干", "宝轮镇管理员", "大石镇骨干", "主任"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000)


def goes_to(district: District, text: str) -> None:
    """The clock jumps; the stations speak and the centre works as soon as it has."""
    wall_ms = at(text)
    district.clock.advance(seconds=(wall_ms - district.clock.now().wall_ms) / 1000)
    district.passes(minutes=3)


def breaks(district: District) -> None:
    """The lamp of a projector fails on Thursday 10 September 2026, at nine in the morning."""
    station = district.station(AIGUO)
    station.reports("projector", reachable=True, power="on", faults={"lamp": "error"})
    district.passes(hours=1, step_s=300)


def acknowledges(district: District, name: str, until: str) -> None:
    async def act() -> None:
        async with district.centre.database.write() as connection:
            (ticket,) = await queries.list_tickets(connection, district.register.district_id)
            await service.acknowledge(
                connection,
                ticket,
                person_id=district.register.people[name],
                version=ticket.version,
                promised_ms=at(until),
                now_ms=district.centre.now_ms,
            )

    district.run(act())


def the_ticket(district: District) -> Ticket:
    (ticket,) = district.open_tickets()
    return ticket


def history(district: District) -> list[Action]:
    async def load() -> list[Action]:
        async with district.centre.database.read() as connection:
            changes = await queries.list_changes(connection, district.register.district_id, 1)
        return [each.action for each in changes]

    return district.run(load())


def heard(district: District) -> dict[str, int]:
    """How many messages each person has got."""
    return {name: len(district.messages(name)) for name in (ONE, OFFICE, NEIGHBOUR, DIRECTOR)}


def test_what_nobody_takes_on_climbs_to_the_centre_and_each_hears_once(district: District) -> None:
    breaks(district)
    assert heard(district) == {ONE: 1, OFFICE: 0, NEIGHBOUR: 0, DIRECTOR: 0}
    goes_to(district, "2026-09-11 11:00")
    assert heard(district) == {ONE: 1, OFFICE: 1, NEIGHBOUR: 0, DIRECTOR: 0}
    goes_to(district, "2026-09-14 12:00")
    assert heard(district) == {ONE: 1, OFFICE: 1, NEIGHBOUR: 1, DIRECTOR: 0}
    goes_to(district, "2026-09-15 14:00")
    assert heard(district) == {ONE: 1, OFFICE: 1, NEIGHBOUR: 1, DIRECTOR: 1}
    assert history(district) == [Action.OPENED, Action.ESCALATED, Action.ESCALATED, Action.ESCALATED]
    assert district.messages(DIRECTOR)[0].endswith("（升级）")


def test_the_centre_is_reminded_every_working_day(district: District) -> None:
    breaks(district)
    for moment in ("2026-09-11 11:00", "2026-09-14 12:00", "2026-09-15 14:00", "2026-09-16 15:00", "2026-09-17 16:00"):
        goes_to(district, moment)
    assert heard(district) == {ONE: 1, OFFICE: 1, NEIGHBOUR: 1, DIRECTOR: 3}
    assert history(district)[-2:] == [Action.REMINDED, Action.REMINDED]


def test_who_has_promised_is_reminded_on_the_day_then_asked_then_passed_over(district: District) -> None:
    breaks(district)
    acknowledges(district, ONE, "2026-09-17 18:00")
    for moment in ("2026-09-11 11:00", "2026-09-15 12:00", "2026-09-17 08:50"):
        goes_to(district, moment)
    assert heard(district) == {ONE: 1, OFFICE: 0, NEIGHBOUR: 0, DIRECTOR: 0}
    for moment in ("2026-09-17 09:01", "2026-09-17 17:50"):
        goes_to(district, moment)
    assert heard(district) == {ONE: 2, OFFICE: 0, NEIGHBOUR: 0, DIRECTOR: 0}
    goes_to(district, "2026-09-17 18:01")
    assert heard(district) == {ONE: 3, OFFICE: 0, NEIGHBOUR: 0, DIRECTOR: 0}
    assert the_ticket(district).state is TicketState.ACKNOWLEDGED
    goes_to(district, "2026-09-18 18:05")
    assert heard(district) == {ONE: 3, OFFICE: 1, NEIGHBOUR: 0, DIRECTOR: 0}
    assert the_ticket(district).state is TicketState.OPEN
    assert history(district)[-4:] == [Action.NUDGED, Action.ASKED, Action.UNACKNOWLEDGED, Action.ESCALATED]


def test_a_promise_for_the_next_day_is_not_reminded_of(district: District) -> None:
    breaks(district)
    acknowledges(district, ONE, "2026-09-11 18:00")
    goes_to(district, "2026-09-11 17:50")
    assert heard(district)[ONE] == 1
    assert the_ticket(district).due_ms == at("2026-09-11 18:00")


def test_who_answers_with_a_new_day_is_left_alone_again(district: District) -> None:
    breaks(district)
    acknowledges(district, ONE, "2026-09-11 18:00")
    goes_to(district, "2026-09-11 18:01")
    acknowledges(district, ONE, "2026-09-16 18:00")
    for moment in ("2026-09-14 18:05", "2026-09-16 08:50"):
        goes_to(district, moment)
    assert heard(district) == {ONE: 2, OFFICE: 0, NEIGHBOUR: 0, DIRECTOR: 0}
    assert the_ticket(district).state is TicketState.ACKNOWLEDGED


def test_a_holiday_the_district_has_given_itself_does_not_count(district: District) -> None:
    async def close() -> None:
        async with district.centre.database.write() as connection:
            own: dict[str, object] = {"calendar": {"days": {"2026-09-11": False}}}
            await areas.change_district_settings(connection, district.register.district_id, own)

    district.run(close())
    breaks(district)
    goes_to(district, "2026-09-11 17:00")
    assert heard(district)[OFFICE] == 0
    goes_to(district, "2026-09-14 11:00")
    assert heard(district)[OFFICE] == 1


def test_what_is_closed_below_the_centre_counts_for_the_township(district: District) -> None:
    breaks(district)
    station = district.station(AIGUO)
    station.reports("projector", reachable=True, power="on", faults={})
    district.passes(hours=3, step_s=300)

    async def load() -> list[float | None]:
        async with district.centre.database.read() as connection:
            here, there = (district.register.townships[each] for each in ("宝轮镇", "大石镇"))
            return [
                await service.share_below_centre(
                    connection,
                    district.register.district_id,
                    from_ms=at("2026-09-01"),
                    to_ms=at("2026-10-01"),
                    area_id=township,
                )
                for township in (None, here, there)
            ]

    assert district.run(load()) == [1.0, 1.0, None]


def leaves(district: District, name: str, until: str | None = None) -> None:
    """The person goes for good, or on leave until a day."""
    person_id = district.register.people[name]

    async def act() -> None:
        async with district.centre.database.write() as connection:
            known = await people.get_person(connection, district.register.district_id, person_id)
            assert known is not None
            if until is None:
                await people.change_person(
                    connection, known.district_id, person_id, version=1, disabled_ms=district.centre.now_ms
                )
            else:
                await people.add_absence(
                    connection, known.district_id, person_id, from_day="2026-09-01", to_day=until, reason="病假"
                )

    district.run(act())


def test_a_person_who_goes_in_mid_ladder_is_followed_by_the_next(district: District) -> None:
    breaks(district)
    acknowledges(district, ONE, "2026-09-17 18:00")
    leaves(district, ONE)
    district.passes(minutes=3)
    ticket = the_ticket(district)
    assert (ticket.state, ticket.assignee_id, ticket.step) == (TicketState.OPEN, district.register.people[OFFICE], 2)
    assert heard(district) == {ONE: 1, OFFICE: 1, NEIGHBOUR: 0, DIRECTOR: 0}
    assert history(district)[-1] is Action.ESCALATED


def test_who_is_on_leave_is_skipped_at_once_and_the_skip_is_recorded(district: District) -> None:
    leaves(district, ONE, until="2026-09-30")
    leaves(district, OFFICE, until="2026-09-09")
    breaks(district)
    assert heard(district) == {ONE: 0, OFFICE: 1, NEIGHBOUR: 0, DIRECTOR: 0}

    async def load() -> dict[str, object]:
        async with district.centre.database.read() as connection:
            (opened,) = await queries.list_changes(connection, district.register.district_id, 1)
        return opened.data

    data = district.run(load())
    assert (data["skipped"], data["reason"]) == ([1], "no_one_available")


def test_leave_hands_on_what_nobody_has_promised_and_keeps_what_somebody_has(district: District) -> None:
    breaks(district)
    leaves(district, ONE, until="2026-09-30")
    district.passes(minutes=3)
    assert the_ticket(district).assignee_id == district.register.people[OFFICE]
    acknowledges(district, OFFICE, "2026-09-17 18:00")
    leaves(district, OFFICE, until="2026-09-30")
    district.passes(minutes=3)
    assert the_ticket(district).assignee_id == district.register.people[OFFICE]
