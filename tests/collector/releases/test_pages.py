"""The page of releases, as people with different rights use it. Both databases."""

from typing import Any

import pytest
from sqlalchemy import select, update

from collector.db.engine import Connection
from collector.people.models import audit
from collector.stations.models import station_states
from shared.wire.v1 import Heartbeat, UpgradeReport
from tests.clocks import ManualClock
from tests.collector.directions.test_pages import post
from tests.office import Office, csrf_of, hear, open_office, write
from tests.releases import make_release

RELEASE = make_release("0.2.0")


@pytest.fixture
def office(database_url: str, clock: ManualClock) -> Office:
    opened = open_office(database_url, {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]}, clock)

    async def hear_all(link: Connection) -> None:
        for station in (1, 2, 3):
            await hear(link, district(opened), station, received_ms=opened.now_ms)

    write(database_url, hear_all)
    return opened


def district(office: Office) -> int:
    return office.district.district_id


def tell(office: Office, station: int, *, agent: str, **report: Any) -> None:
    """Let a station's newest heartbeat say which agent it runs and how its upgrade goes."""

    async def act(link: Connection) -> None:
        row = (station_states.c.district_id == district(office)) & (station_states.c.station_id == station)
        old = Heartbeat.model_validate_json(
            (await link.execute(select(station_states.c.heartbeat).where(row))).scalar_one()
        )
        new = old.model_copy(update={"agent": agent, "upgrade": UpgradeReport(**report)})
        await link.execute(update(station_states).where(row).values(heartbeat=new.model_dump_json()))

    write(office.url, act)


def audited(office: Office) -> list[tuple[str, str, int]]:
    async def act(link: Connection) -> list[Any]:
        columns = (audit.c.action, audit.c.object, audit.c.person_id)
        wanted = select(*columns).where(audit.c.action.like("release.%")).order_by(audit.c.entry_id)
        return [tuple(row) for row in await link.execute(wanted)]

    return write(office.url, act)


def upload(browser: Any, content: bytes) -> Any:
    fields = {"csrf": csrf_of(browser.get("/").text)}
    return browser.post("/releases", data=fields, files={"release": ("a.release", content)})


def test_a_release_goes_to_a_township_then_to_all_and_is_taken_off(office: Office) -> None:
    township = str(office.district.townships["宝轮镇"])
    with office.signed_in("主任") as browser:
        assert "还没有收下升级包" in browser.get("/releases").text
        assert upload(browser, RELEASE).headers["location"] == "/releases"
        assert "还没有发给任何站点" in browser.get("/releases").text
        too_early = post(browser, "/releases/offer", version="0.2.0", to="all")
        post(browser, "/releases/offer", version="0.2.0", to=township)
        on_trial = browser.get("/releases").text
        tell(office, 1, agent="0.2.0")
        post(browser, "/releases/offer", version="0.2.0", to="all")
        for_all = browser.get("/releases").text
        post(browser, "/releases/withdraw", version="0.2.0")
        taken_off = browser.get("/releases").text

    assert (too_early.status_code, "请先给几个站点试用" in too_early.text) == (409, True)
    assert "试用中：已发给 2 个站点" in on_trial
    assert "已发给全部站点" in for_all
    assert "在用这个版本的站点：1 个" in for_all
    assert "还没有发给任何站点" in taken_off
    chief = office.district.people["主任"]
    assert audited(office) == [
        (f"release.{what}", "release/0.2.0", chief) for what in ("added", "offered", "offered", "withdrawn")
    ]


def test_the_station_that_took_it_back_comes_first_with_its_reason_and_may_try_again(office: Office) -> None:
    with office.signed_in("主任") as browser:
        upload(browser, RELEASE)
        post(browser, "/releases/offer", version="0.2.0", to=str(office.district.townships["宝轮镇"]))
        tell(office, 1, agent="0.1.0", version="0.2.0", offer=1, have=512, size=1024)
        tell(office, 2, agent="0.1.0", version="0.2.0", offer=1, reason="升级到 0.2.0 没有成功，已退回：crashed")
        page = browser.get("/releases").text
        failed = browser.get("/releases?state=failed").text
        again = post(browser, "/releases/offer", version="0.2.0", to="2")

    order = [page.index(f'href="/stations/{each}"') for each in (2, 1, 3)]
    assert order == sorted(order)
    assert "正在下载 50%" in page
    assert "已退回：crashed" in failed
    assert 'href="/stations/1"' not in failed
    assert again.status_code == 303
    assert [what for what, _, _ in audited(office)] == ["release.added", "release.offered", "release.offered"]


def test_the_address_narrows_the_list_to_a_township(office: Office) -> None:
    with office.signed_in("主任") as browser:
        page = browser.get(f"/releases?township={office.district.townships['大石镇']}").text
    assert ('href="/stations/3"' in page, 'href="/stations/1"' in page) == (True, False)


@pytest.mark.parametrize(("content", "why"), [(b"", "请先选择升级包"), (b"PK\x03\x04", "不是可用的升级包")])
def test_what_is_no_release_is_not_taken_in(office: Office, content: bytes, why: str) -> None:
    with office.signed_in("主任") as browser:
        refused = upload(browser, content)
    assert (refused.status_code, why in refused.text) == (422, True)
    assert audited(office) == []


def test_the_same_version_is_not_taken_in_twice_and_a_damaged_one_not_at_all(office: Office) -> None:
    with office.signed_in("主任") as browser:
        upload(browser, RELEASE)
        assert upload(browser, RELEASE).status_code == 409
        assert upload(browser, make_release("0.3.0")[:-1]).status_code == 422


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/releases/offer", {"version": "9.9.9", "to": "all"}),
        ("/releases/offer", {"version": "0.2.0", "to": "nobody"}),
        ("/releases/withdraw", {"version": "0.2.0"}),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_no_trace(office: Office, path: str, fields: dict[str, str]) -> None:
    with office.signed_in("主任") as browser:
        refused = post(browser, path, **fields)
    assert refused.status_code in {404, 422}
    assert 'class="wrong"' in refused.text
    assert audited(office) == []


@pytest.mark.parametrize("name", ["宝轮镇管理员", "大石镇管理员"])
def test_nobody_below_the_centre_sees_or_offers_releases(office: Office, name: str) -> None:
    with office.signed_in(name) as browser:
        assert browser.get("/releases").status_code == 403
        assert post(browser, "/releases/offer", version="0.2.0", to="all").status_code == 403
        assert upload(browser, RELEASE).status_code == 403
        assert 'href="/directions"' not in browser.get("/").text


def test_the_page_is_two_steps_from_the_menu(office: Office) -> None:
    with office.signed_in("主任") as browser:
        assert 'href="/directions"' in browser.get("/").text
        assert 'href="/releases"' in browser.get("/directions").text
