"""The first stories of the whole system: a film becomes a report, a fault finds the right person."""

from tests.scenarios.harness import District

AIGUO = "宝轮镇 爱国社区"


def test_a_film_played_to_the_end_is_in_this_months_report(district: District) -> None:
    district.station(AIGUO).plays("油橄榄丰产栽培 第1讲", minutes=30)
    district.passes(minutes=2)
    row = district.month_of(AIGUO, "2026-09")
    assert row.played_names == ("油橄榄丰产栽培 第1讲",)
    assert row.figures.level_minutes == {"E2": 30}
    assert (row.figures.played, row.figures.proposed) == (1, 1)


def test_a_station_back_after_90_days_loses_nothing_and_pages_nobody(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=10)
    station.loses_network()
    district.passes(hours=2, step_s=300)
    told = len(district.messages())
    for _ in range(3):
        district.clock.advance(days=30)
        station.plays("黄羊饲养 第2讲", minutes=20, sha256="cd" * 32)
    before = district.messages()
    station.regains_network()
    district.passes(minutes=10)
    months = [district.month_of(AIGUO, month) for month in ("2026-10", "2026-11", "2026-12")]
    played = [each.figures.level_minutes for each in months]
    assert played == [{"E2": 20}] * 3
    assert told >= 1
    assert [each for each in district.messages()[len(before) :] if "恢复" not in each] == []


def test_the_lamp_fails_and_the_right_person_hears_once(district: District) -> None:
    district.station(AIGUO).reports("projector", reachable=True, power="on", faults={"lamp": "error"}, lamp_hours=3980)
    district.passes(hours=3, step_s=120)
    assert [each.rule for each in district.open_tickets()] == ["projector_error"]
    assert len(district.messages("宝轮镇骨干")) == 1
    assert district.messages("大石镇骨干") == []
    assert AIGUO in district.messages("宝轮镇骨干")[0]


def test_a_lamp_that_works_again_closes_its_ticket_by_itself(district: District) -> None:
    station = district.station(AIGUO)
    station.reports("projector", reachable=True, power="on", faults={"lamp": "error"})
    district.passes(hours=1, step_s=120)
    station.reports("projector", reachable=True, power="on", faults={})
    district.passes(hours=3, step_s=120)
    assert district.open_tickets() == []
    assert len(district.messages("宝轮镇骨干")) == 2


def test_a_whole_agent_dies_and_the_centre_notices_at_p_plus_g(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=10)
    last = district.last_heard(AIGUO)
    station.dies()
    district.passes(minutes=40)
    (ticket,) = district.open_tickets()
    assert (ticket.rule, ticket.station_id) == ("station_silent", district.register.stations[AIGUO])
    assert ticket.since_ms == last + 5 * 60_000
    assert last + 15 * 60_000 <= ticket.opened_ms <= last + 22 * 60_000


def test_a_dark_township_is_one_ticket_and_one_message(district: District) -> None:
    district.passes(minutes=10)
    for village in ("爱国社区", "红星村", "红岩村"):
        district.station(f"宝轮镇 {village}").loses_network()
    district.passes(hours=1)
    assert [each.rule for each in district.open_tickets()] == ["area_silent"]
    assert len(district.messages("宝轮镇骨干")) == 1
