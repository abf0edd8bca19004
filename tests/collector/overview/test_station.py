import re
from typing import get_args

import pytest

from collector.overview import senses
from collector.overview.senses import Standing
from collector.overview.words import KIND_WORDS, SESSION_LOOKS
from collector.timeline import queries as timeline
from collector.timeline.presence import Presence, Stretch
from collector.usage import stock_queries
from collector.usage.facts import StockMove
from collector.usage.records import SessionState
from shared.months import local
from shared.wire.kinds import StudyKind
from shared.wire.v1 import Heartbeat, SpoolReport
from tests.office import BOOT, Office, csrf_of, probe, write

AIGUO, LAOLIN = "宝轮镇 爱国社区", "宝轮镇 老林村"


def standings(**probes: object) -> dict[str, Standing]:
    heartbeat = Heartbeat(
        wall=0,
        mono=1,
        boot=BOOT,
        spool=SpoolReport(last=0, waiting=0, bytes=0),
        probes=probes,
    )
    return {line.name: line.standing for line in senses.lines_of(heartbeat)}


def test_no_data_not_installed_and_zero_are_three_things() -> None:
    told = standings(courseware=probe(files=0), audio=probe("no_data"))
    assert told["课件接收"] is Standing.GOOD
    assert told["声音"] is Standing.NO_DATA
    assert told["投影机"] is Standing.ABSENT


@pytest.mark.parametrize(
    ("name", "report", "standing"),
    [
        ("courseware", probe(readable=False), Standing.BAD),
        ("courseware", probe(files=3, corrupt=["a"]), Standing.WARN),
        ("courseware", probe("failed"), Standing.BAD),
        ("courseware", probe(files="many"), Standing.NO_DATA),
        ("projector", probe(reachable=False), Standing.BAD),
        ("projector", probe(reachable=True, faults={"lamp": "error"}), Standing.BAD),
        ("projector", probe(reachable=True, power="on", lamp_hours=9), Standing.GOOD),
        ("projector", probe(reachable=True, power="dancing"), Standing.GOOD),
        ("projector", probe(reachable=True), Standing.NO_DATA),
        ("audio", probe(sink=False), Standing.BAD),
        ("audio", probe(sink=True, muted=True), Standing.WARN),
        ("audio", probe(sink=True, volume=0.5), Standing.GOOD),
        ("host", probe(read_only=True), Standing.BAD),
        ("host", probe(disk_free=1, disk_total=100), Standing.BAD),
        ("host", probe(disk_free=50, disk_total=100, temperature_c=95), Standing.WARN),
        ("host", probe(), Standing.NO_DATA),
        ("playback", probe(playing=["甲"]), Standing.GOOD),
    ],
)
def test_a_sensor_is_judged_in_plain_words(name: str, report: object, standing: Standing) -> None:
    assert standings(**{name: report})[senses.READERS[name][0]] is standing


@pytest.mark.parametrize(
    ("off_ms", "standing"), [(120_000, Standing.GOOD), (-660_000, Standing.WARN), (660_000, Standing.WARN)]
)
def test_a_clock_may_be_two_minutes_off(off_ms: int, standing: Standing) -> None:
    heartbeat = Heartbeat(wall=10**9 + off_ms, mono=1, boot=BOOT, spool=SpoolReport(last=0, waiting=0, bytes=0))
    assert senses.clock_line(heartbeat, 10**9).standing is standing


def test_every_sentence_can_be_filled() -> None:
    heartbeat = Heartbeat(
        wall=0,
        mono=1,
        boot=BOOT,
        spool=SpoolReport(last=0, waiting=0, bytes=0),
        probes={"courseware": probe(files=1, incoming=2), "host": probe(disk_free=1, disk_total=9), "new": probe()},
    )
    for line in [*senses.lines_of(heartbeat), senses.clock_line(heartbeat, 0)]:
        assert line.text % dict(line.values)


def test_every_state_and_kind_of_study_has_a_word() -> None:
    assert set(SESSION_LOOKS) == set(SessionState)
    assert get_args(StudyKind) == KIND_WORDS


def test_the_page_says_what_is_pending_and_shows_text_of_others_as_text(office: Office) -> None:
    with office.signed_in("主任") as client:
        page = client.get(f"/stations/{office.district.stations[AIGUO]}").text
    assert "数据待补传：站点上还有 12 条记录没有送到" in page
    assert "&lt;b&gt;坏.mp4" in page
    assert "<b>坏" not in page
    assert "连不上投影机" in page
    assert "thermometer" in page


def test_availability_counts_from_the_installation_and_says_so(office: Office) -> None:
    station_id, from_ms = office.district.stations[AIGUO], office.now_ms - 3 * 3_600_000
    row = Stretch(station_id, from_ms, None, Presence.UP, checked=True)
    write(office.url, lambda connection: timeline.add_stretches(connection, 510802, [row]))
    with office.signed_in("主任") as client:
        page = client.get(f"/stations/{station_id}").text
    assert f"{local(from_ms):%m-%d %H:%M} 以来 <strong>100.0%</strong>（资料覆盖 100%）" in page
    assert "近 30 天" not in page


def test_a_long_stock_says_how_much_of_it_is_shown_and_shows_the_rest(office: Office) -> None:
    station_id = office.district.stations[AIGUO]
    titles = {number: f"课件{number:03}" for number in range(1, 33)}
    moves = [StockMove(f"{number:064x}", "aa", number, True, title, title) for number, title in titles.items()]
    write(office.url, lambda connection: stock_queries.put_moves(connection, 510802, station_id, moves, []))
    with office.signed_in("主任") as client:
        page = client.get(f"/stations/{station_id}").text
        whole = client.get(f"/stations/{station_id}?stock=all").text
    assert "显示最新的 30 个，共 32 个。" in page
    assert [page.count("课件032"), page.count("课件001")] == [1, 0]
    assert whole.count("课件001") == 1
    assert "显示最新的" not in whole


def test_a_station_without_the_agent_says_the_next_step(office: Office) -> None:
    with office.signed_in("主任") as client:
        page = client.get(f"/stations/{office.district.stations[LAOLIN]}").text
    assert "还没有安装监测程序" in page
    assert "生成安装码" in page


def test_an_enrolment_code_is_shown_once(office: Office) -> None:
    address = f"/stations/{office.district.stations[LAOLIN]}"
    with office.signed_in("宝轮镇管理员") as client:
        made = client.post(f"{address}/code", data={"csrf": csrf_of(client.get(address).text)})
        again = client.get(address)
    codes = set(re.findall(r'class="code">([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})<', made.text))
    assert len(codes) == 1, (made.status_code, codes, made.text)
    assert codes.pop() not in again.text


def test_a_backbone_operator_does_not_enrol(office: Office) -> None:
    address = f"/stations/{office.district.stations[LAOLIN]}"
    with office.signed_in("宝轮镇骨干") as client:
        page = client.get(address)
        assert "生成安装码</button>" not in page.text
        assert client.post(f"{address}/code", data={"csrf": csrf_of(page.text)}).status_code == 403


def test_an_unknown_station_is_not_found(office: Office) -> None:
    with office.signed_in("主任") as client:
        assert client.get("/stations/9999").status_code == 404
        assert client.get("/stations/x").status_code == 422
