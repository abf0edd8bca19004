import json
import re

import pytest
from starlette.testclient import TestClient

from collector.db.engine import Connection
from collector.overview import pages, service
from collector.overview.pages import address_of, parse_status
from collector.overview.queries import Wanted
from collector.overview.service import TownshipRow, split_pages
from collector.stations.words import LOOKS, Limits, Status, limits_at, status_of
from tests.office import Office, write

NOW = 1_788_000_000_000


def cells(page: str) -> dict[str, str]:
    """Status of every cell by its station's name."""
    found = re.findall(r'class="cell (\w+)"[^>]*title="\s*([^·]+?) · ', page)
    return {title: status for status, title in found}


def townships(page: str) -> list[str]:
    return re.findall(r'class="township"[^>]*>([^<]+)<', page)


@pytest.mark.parametrize(
    ("age_s", "status"),
    [(0, "online"), (360, "online"), (361, "late"), (900, "late"), (901, "offline"), (10**7, "offline")],
)
def test_status_follows_period_and_grace(age_s: int, status: str) -> None:
    limits = limits_at(NOW, heartbeat_s=300, grace_s=600)
    assert status_of(NOW - age_s * 1000, limits) == status


def test_a_station_never_heard_is_not_offline() -> None:
    assert status_of(None, limits_at(NOW, heartbeat_s=300, grace_s=600)) is Status.UNSEEN


@pytest.mark.parametrize(
    ("heard_s", "ready_s", "received_s", "status"),
    [
        (86_400, 60, 86_500, "late"),  # away for a day, back for a minute: everybody gets time to call
        (86_400, 60, 30, "online"),
        (86_400, 60, 90_000, "offline"),  # was overdue before the centre went away
        (86_400, 901, 86_500, "offline"),  # has had time to call and did not
        (62, 60, 100, "online"),  # a restart of two seconds changes nobody
        (62, 60, 2_000, "offline"),
    ],
)
def test_a_centre_that_was_away_accuses_nobody(heard_s: int, ready_s: int, received_s: int, status: str) -> None:
    away = (NOW - heard_s * 1000, NOW - ready_s * 1000)
    limits = limits_at(NOW, heartbeat_s=300, grace_s=600, away=away)
    assert status_of(NOW - received_s * 1000, limits) == status


def test_every_status_has_its_own_shape_and_word() -> None:
    assert set(LOOKS) == set(Status)
    assert len({look.shape for look in LOOKS.values()}) == len({look.word for look in LOOKS.values()}) == len(Status)


def test_the_database_and_the_table_agree_on_every_status(office: Office) -> None:
    with office.signed_in("主任") as client:
        shown = cells(client.get("/").text)
    assert shown == {
        "东坝街道 翠屏社区": "online",
        "东坝街道 金柜社区": "late",
        "宝轮镇 爱国社区": "offline",
        "宝轮镇 红星村": "online",
        "宝轮镇 老林村": "unseen",
        "大石镇 红岩村": "online",
    }


def test_the_worst_township_comes_first(office: Office) -> None:
    with office.signed_in("主任") as client:
        assert townships(client.get("/").text) == ["宝轮镇", "东坝街道", "大石镇"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("agsq", {"宝轮镇 爱国社区"}),
        ("aiguo", {"宝轮镇 爱国社区"}),
        ("爱国", {"宝轮镇 爱国社区"}),
        ("blz", {"宝轮镇 爱国社区", "宝轮镇 红星村", "宝轮镇 老林村"}),
        ("宝轮 红", {"宝轮镇 红星村"}),
        ("HYC", {"大石镇 红岩村"}),
        ("%", set()),
        ("_", set()),
        ("没有", set()),
    ],
)
def test_a_station_is_found_by_characters_pinyin_or_initials(office: Office, typed: str, found: set[str]) -> None:
    with office.signed_in("主任") as client:
        assert set(cells(client.get("/", params={"q": typed}).text)) == found


def test_filters_come_from_the_address_and_go_back_into_it(office: Office) -> None:
    with office.signed_in("主任") as client:
        page = client.get("/?status=offline&q=blz").text
    assert set(cells(page)) == {"宝轮镇 爱国社区"}
    assert 'value="blz"' in page
    assert '<option value="offline" selected>' in page
    assert address_of(Wanted(1, status=Status.LATE, text="a&b"), page=2) == "/?status=late&q=a%26b&page=2"


@pytest.mark.parametrize("address", ["/?status=nonsense", "/?township=nonsense", "/?page=999", "/?page=-1"])
def test_senseless_filters_ask_for_everything(office: Office, address: str) -> None:
    with office.signed_in("主任") as client:
        assert len(cells(client.get(address).text)) == 6


def test_nothing_found_says_so_and_shows_the_way_back(office: Office) -> None:
    with office.signed_in("主任") as client:
        assert "没有符合条件的站点" in client.get("/?q=zzz").text


def test_a_page_holds_whole_townships() -> None:
    rows = [TownshipRow(None, str(size), 0, {Status.ONLINE: size}) for size in (300, 90, 200, 500, 10)]  # type: ignore[arg-type]
    assert [[row.stations for row in page] for page in split_pages(rows, 400)] == [[300, 90], [200], [500], [10]]
    assert split_pages([], 400) == [[]]


def test_a_status_in_an_address_is_one_of_ours_or_none() -> None:
    assert (parse_status("late"), parse_status("Late"), parse_status("")) == (Status.LATE, None, None)


def test_a_township_not_installed_yet_is_not_the_worst() -> None:
    unseen = TownshipRow(None, "a", 0, {Status.UNSEEN: 9})  # type: ignore[arg-type]
    assert unseen.badness == 0.0


def test_the_centre_takes_period_and_grace_from_its_settings(office: Office) -> None:
    centre = office.app.state.centre

    async def ask(connection: Connection) -> Limits:
        return await service.limits_of(connection, centre, 510802, ready_ms=0)

    assert write(office.url, ask) == Limits(office.now_ms - 360_000, office.now_ms - 900_000)


def test_the_english_page_has_no_chinese_words_of_ours(office: Office) -> None:
    with office.signed_in("主任") as client:
        chosen: TestClient = client
        chosen.post("/language", data={"language": "en", "back": "/?q=agsq"})
        page = chosen.get("/?q=agsq").text
    assert '<html lang="en">' in page
    assert "Offline" in page
    assert "在线" not in page


def test_with_many_townships_the_chart_shows_those_that_studied_least(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_BARS", 2)
    with office.signed_in("主任") as client:
        page = client.get("/").text
    assert "最少的 2 个乡镇" in page
    assert len(json.loads(page.split('id="chart-data">', 1)[1].split("</script>", 1)[0])["names"]) == 2


def test_a_short_grace_leaves_room_for_late_and_offline() -> None:
    limits = limits_at(NOW, heartbeat_s=10, grace_s=16)
    seen = [status_of(NOW - seconds * 1000, limits) for seconds in (14, 15, 26, 27)]
    assert seen == [Status.ONLINE, Status.LATE, Status.LATE, Status.OFFLINE]
