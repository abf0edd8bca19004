"""The figures of a district with three tickets: one mended by its "1", one by the centre, one still open."""

import csv
import io
from typing import Any

import pytest
from sqlalchemy import update

from collector.db.engine import Connection
from collector.faults.rules.base import Category, Severity
from collector.figures import service
from collector.figures.service import By, Table
from collector.people.models import people
from collector.tickets import queries as tickets
from collector.tickets.queries import NewTicket, Ticket
from collector.tickets.routing import Step
from collector.tickets.service import share_below_centre
from collector.tickets.words import Action, TicketState
from collector.timeline import queries as timeline
from collector.timeline.presence import Presence, Stretch
from tests.clocks import ManualClock
from tests.office import Office, hear, open_office, probe, write

PLAN = {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]}
HOUR = 3_600_000
AIGUO = "宝轮镇 爱国社区"


@pytest.fixture
def office(database_url: str, clock: ManualClock) -> Office:
    opened = open_office(database_url, PLAN, clock)
    write(database_url, lambda connection: plant(connection, opened))
    return opened


async def plant(connection: Connection, office: Office) -> None:
    begin_ms = office.now_ms - 48 * HOUR
    first = await add(connection, office, AIGUO, "宝轮镇骨干", rule="projector_error", at_ms=begin_ms)
    await close(connection, first, after_ms=4 * HOUR)
    again = await add(
        connection,
        office,
        AIGUO,
        "主任",
        rule="projector_error",
        at_ms=begin_ms + 20 * HOUR,
        step=Step.CENTRE,
        previous_id=first.ticket_id,
    )
    await close(connection, again, after_ms=10 * HOUR)
    await add(connection, office, "大石镇 红岩村", "大石镇骨干", rule="disk_low", at_ms=begin_ms + 30 * HOUR)
    await hear(
        connection,
        office.district.district_id,
        office.district.stations[AIGUO],
        received_ms=office.now_ms,
        probes={"projector": probe(maker="EPSON", model="=CB-X05")},
    )


async def add(
    connection: Connection,
    office: Office,
    title: str,
    name: str,
    *,
    rule: str,
    at_ms: int,
    step: Step = Step.BACKBONE,
    **more: Any,
) -> Ticket:
    township = title.split(" ", maxsplit=1)[0]
    new = NewTicket(
        dedup_key=f"{rule}:{title}",
        rule=rule,
        category=Category.HARDWARE_COMMON if rule == "projector_error" else Category.SOFTWARE,
        severity=Severity.MAJOR,
        station_id=office.district.stations[title],
        area_id=office.district.townships[township],
        place=title,
        facts={},
        since_ms=at_ms,
        assignee_id=office.district.people[name],
        step=step,
        **{"previous_id": None, **more},
    )
    ticket = await tickets.add_ticket(connection, office.district.district_id, new, now_ms=at_ms)
    assert ticket is not None
    return ticket


async def close(connection: Connection, ticket: Ticket, *, after_ms: int) -> None:
    answered_ms, gone_ms = ticket.opened_ms + HOUR, ticket.opened_ms + after_ms
    taken = await tickets.change_ticket(connection, ticket, version=1, acknowledged_ms=answered_ms)
    assert taken is not None
    await tickets.add_change(connection, taken, Action.ACKNOWLEDGED, now_ms=answered_ms, told=True)
    values = {"open": False, "state": TicketState.CLOSED, "recovered_ms": gone_ms, "closed_ms": gone_ms + HOUR}
    assert await tickets.change_ticket(connection, taken, version=2, **values) is not None


def table(office: Office, by: By, **more: Any) -> Table:
    period = (office.now_ms - 72 * HOUR, office.now_ms)
    before = (office.now_ms - 144 * HOUR, period[0])

    async def make(connection: Connection) -> Table:
        return await service.make_table(
            connection, office.district.district_id, by, period=period, before=before, now_ms=office.now_ms, **more
        )

    return write(office.url, make)


def test_the_total_says_who_mended_what_and_how_fast(office: Office) -> None:
    total = table(office, By.TOWNSHIP).total
    assert (total.faults, total.decided, total.local, total.repeated) == (3, 2, 1, 1)
    assert (total.answer_ms, total.repair_ms) == (HOUR, 7 * HOUR)


def test_the_headline_is_the_one_of_the_overview(office: Office) -> None:
    async def ask(connection: Connection) -> float | None:
        return await share_below_centre(
            connection, office.district.district_id, from_ms=office.now_ms - 72 * HOUR, to_ms=office.now_ms
        )

    assert table(office, By.TOWNSHIP).total.local_share == write(office.url, ask) == 0.5


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        (By.TOWNSHIP, [("宝轮镇", 2, 2), ("大石镇", 1, 1)]),
        (By.CATEGORY, [("一般硬件", 2, None), ("软件", 1, None)]),
        (By.OPERATOR, [("主任", 1, None), ("大石镇骨干", 1, None), ("宝轮镇骨干", 1, None)]),
        (By.MODEL, [("EPSON =CB-X05", 2, 1)]),
    ],
)
def test_lines_are_grouped(office: Office, by: By, lines: list[tuple[str, int, int | None]]) -> None:
    assert [(line.label, line.sums.faults, line.count) for line in table(office, by).lines] == lines


def test_a_township_is_there_when_its_stations_are_and_little_knowledge_is_not_shown(office: Office) -> None:
    begin_ms = office.now_ms - 72 * HOUR

    async def lived(connection: Connection) -> None:
        aiguo, hongxing, hongyan = (
            office.district.stations[each] for each in (AIGUO, "宝轮镇 红星村", "大石镇 红岩村")
        )
        rows = [
            (aiguo, 0, 60, Presence.UP),
            (aiguo, 60, 72, Presence.DOWN),
            (hongxing, 0, None, Presence.UP),
            (hongyan, 0, 54, Presence.UNKNOWN),
            (hongyan, 54, None, Presence.UP),
        ]
        stretches = [
            Stretch(station, begin_ms + a * HOUR, None if b is None else begin_ms + b * HOUR, presence, True)
            for station, a, b, presence in rows
        ]
        await timeline.add_stretches(connection, office.district.district_id, stretches)

    write(office.url, lived)
    baolun, dashi = (line.presence for line in table(office, By.TOWNSHIP).lines)
    assert baolun is not None
    assert dashi is not None
    assert (baolun.share, baolun.coverage, baolun.is_enough) == (132 / 144, 1.0, True)
    assert (dashi.share, dashi.coverage, dashi.is_enough) == (1.0, 0.25, False)
    with office.signed_in("主任") as browser:
        page = browser.get("/figures").text
    assert "91.7%" in page
    assert page.count("资料不足") == 1


def test_one_township_sees_its_own(office: Office) -> None:
    mine = table(office, By.TOWNSHIP, township_id=office.district.townships["大石镇"])
    assert [(line.label, line.sums.faults) for line in mine.lines] == [("大石镇", 1)]


def test_the_page_shows_the_headline_and_its_definition(office: Office) -> None:
    with office.signed_in("主任") as browser:
        page = browser.get("/figures").text
        overview = browser.get("/").text
    assert "<strong>50%</strong>" in page
    assert "没有升到“区中心”这一级" in page
    assert 'href="/figures#definition"' in overview
    assert "<b>50%</b>" in overview


def test_a_senseless_address_shows_this_year(office: Office) -> None:
    with office.signed_in("主任") as browser:
        answers = [browser.get(f"/figures?{query}") for query in ("period=2026-99&by=x", "period=昨天", "period=0000")]
    assert [each.status_code for each in answers] == [200] * 3
    assert all("2026 年共发现故障" in each.text for each in answers)


def test_a_month_is_named_as_people_say_it(office: Office) -> None:
    with office.signed_in("主任") as browser:
        page = browser.get("/figures?period=2026-09").text
    assert "<p>2026 年 9 月共发现故障" in page


def test_the_file_has_the_same_lines_and_no_formula(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as browser:
        answer = browser.get("/figures.csv?by=model&period=2026-09")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:3] == ["投影机型号", "故障数", "已了结"]
    assert rows[1] == ["EPSON =CB-X05", "2", "2", "1", "50.0%", "1.0", "7.0", "1"]


def test_a_name_never_becomes_a_formula(office: Office) -> None:
    async def rename(connection: Connection) -> None:
        await connection.execute(update(people).values(name="=HYPERLINK(1)"))

    write(office.url, rename)
    with office.signed_in("主任") as browser:
        answer = browser.get("/figures.csv?by=operator&period=2026-09")
    assert "'=HYPERLINK(1)" in answer.text
    assert "\n=HYPERLINK" not in answer.text
