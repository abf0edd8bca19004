"""What the invented year holds to be found: by a ticket about just this place, or by one that stood there already."""

from dataclasses import replace
from uuid import UUID

from bench.district_model import HOUR_MS, KINDS, Trouble
from bench.district_truth import Truth
from collector.areas.calendar import make_calendar
from collector.faults.rules.base import Category, Severity
from collector.tickets.queries import Ticket
from collector.tickets.words import TicketState

TOWN = UUID(int=7)
NOON_MS = 1_788_000_000_000 // (24 * HOUR_MS) * 24 * HOUR_MS + 4 * HOUR_MS
_KIND = {each.name: each for each in KINDS}


def _trouble(name: str, place: int, *, hours: float) -> Trouble:
    return Trouble(_KIND[name], place, NOON_MS, NOON_MS + hours * HOUR_MS)


def _ticket(rule: str, *, station_id: int | None = None) -> Ticket:
    return Ticket(
        district_id=510802,
        ticket_id=1,
        dedup_key=f"{rule}:x",
        open=True,
        rule=rule,
        category=Category.NETWORK,
        severity=Severity.MAJOR,
        station_id=station_id,
        area_id=TOWN,
        place="",
        state=TicketState.OPEN,
        step=0,
        part_of=None,
        version=1,
        facts={},
        since_ms=NOON_MS - HOUR_MS,
        opened_ms=NOON_MS - HOUR_MS,
        acknowledged_ms=None,
        promised_ms=None,
        recovered_ms=None,
        closed_ms=None,
        assignee_id=None,
        previous_id=None,
        merged_into=None,
        helped=None,
        resolution=None,
        due_ms=None,
        chain={},
    )


def _truth(*troubles: Trouble) -> Truth:
    return Truth(troubles, {17: 3, 18: 3, 19: 4}, {TOWN: 3}, make_calendar({}))


def test_a_cut_line_under_the_ticket_of_a_power_cut_is_found_by_it() -> None:
    line = _trouble("乡镇线路中断", 3, hours=4)
    assert _truth(line).list_under(_ticket("area_silent"), [line]) == [line]
    assert _truth(line).is_about(line, _ticket("area_silent"))


def test_the_ticket_of_a_township_does_not_find_what_ails_one_of_its_stations() -> None:
    broken = _trouble("主机损坏", 17, hours=40)
    assert not _truth(broken).is_about(broken, _ticket("area_silent"))
    assert _truth(broken).list_missed(NOON_MS + 30 * HOUR_MS) == [broken]


def test_the_ticket_of_a_station_finds_that_its_township_is_dark_if_it_fell_silent_with_it() -> None:
    line, ticket = _trouble("乡镇线路中断", 3, hours=4), _ticket("station_silent", station_id=17)
    assert not _truth(line).is_about(line, ticket)
    assert _truth(line).is_about(line, replace(ticket, since_ms=NOON_MS + HOUR_MS))
    assert not _truth(line).is_about(line, replace(ticket, station_id=19, since_ms=NOON_MS + HOUR_MS))


def test_who_is_at_a_station_mends_that_first_and_nothing_elsewhere() -> None:
    line, off, other = (
        _trouble("乡镇线路中断", 3, hours=4),
        _trouble("主机被关", 17, hours=9),
        _trouble("主机被关", 18, hours=9),
    )
    truth = _truth(line, off, other)
    assert truth.list_under(_ticket("station_silent", station_id=17), [line, other, off]) == [off, line]


def test_another_sort_of_ticket_finds_nothing() -> None:
    off = _trouble("主机被关", 17, hours=9)
    assert not _truth(off).is_about(off, _ticket("courseware_missing", station_id=17))
