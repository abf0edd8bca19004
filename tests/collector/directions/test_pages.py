"""The pages for settings and commands, as people with different rights use them. Both databases."""

from collections.abc import Awaitable, Callable
from typing import Any, get_args

import pytest
from starlette.testclient import TestClient

from collector.db.engine import Connection
from collector.directions import forms, queries, service
from shared.wire.directions import Verb, directable
from shared.wire.kinds import CommandAnswered, Source
from tests.clocks import ManualClock
from tests.office import Office, csrf_of, hear, open_office, write

PAGE = "/stations/1/directions"


@pytest.fixture
def office(database_url: str, clock: ManualClock) -> Office:
    opened = open_office(database_url, {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]}, clock)
    write(database_url, lambda link: hear(link, opened.district.district_id, 1, received_ms=opened.now_ms))
    return opened


def post(browser: TestClient, path: str, **fields: Any) -> Any:
    return browser.post(path, data={"csrf": csrf_of(browser.get("/").text), **fields})


def test_every_setting_a_station_lets_be_set_has_a_field_and_no_other() -> None:
    shown = {(field.probe, field.name) for field in forms.FIELDS}
    assert shown == {(probe, name) for probe, names in directable().items() for name in names}


def test_every_verb_has_a_word() -> None:
    assert set(forms.VERB_WORDS) == set(Verb)


def test_a_form_shows_what_was_saved_and_reads_it_back_the_same() -> None:
    document = {
        "heartbeat_s": 600,
        "open_hours": ["1-5 08:30-18:00", "6 09:00-12:00"],
        "probes": {
            "courseware": {"settle_s": 120, "suffixes": ["mp4", "ts"], "enabled": True},
            "audio": {"listen_s": 0.5, "enabled": False},
            "projector": {"host": "192.168.1.20"},
        },
    }
    assert forms.read(forms.write(document)) == document


def test_settings_are_saved_shown_with_their_version_and_fetched(office: Office) -> None:
    with office.signed_in("主任") as browser:
        saved = post(browser, f"{PAGE}/settings", heartbeat_s="600", **{"courseware.settle_s": "120"})
        shown = browser.get(f"{PAGE}?done=saved").text
    assert (saved.status_code, saved.headers["location"]) == (303, f"{PAGE}?done=saved")
    assert "已保存为第 1 版" in shown
    assert 'name="heartbeat_s" value="600"' in shown
    told = write(office.url, lambda link: service.get_settings(link, office.district.district_id, 1))
    assert told.settings == {"heartbeat_s": 600, "probes": {"courseware": {"settle_s": 120}}}


def test_what_has_a_few_values_only_is_chosen_in_words(office: Office) -> None:
    with office.signed_in("主任") as browser:
        post(browser, f"{PAGE}/settings", **{"courseware.source": "disc"})
        shown = browser.get(PAGE).text
    assert '<option value="disc" selected>光盘</option>' in shown
    assert {*forms.SOURCES, "unknown"} == set(get_args(Source))


def test_settings_for_the_whole_district_reach_every_station(office: Office) -> None:
    with office.signed_in("主任") as browser:
        saved = post(browser, "/directions/settings", open_hours="1-5 08:30-18:00")
    assert saved.headers["location"] == "/directions?done=saved"
    told = write(office.url, lambda link: service.get_settings(link, office.district.district_id, 2))
    assert told.settings == {"open_hours": ["1-5 08:30-18:00"]}


@pytest.mark.parametrize("fields", [{"heartbeat_s": "5"}, {"heartbeat_s": "often"}, {"open_hours": "always"}])
def test_what_makes_no_sense_is_refused_and_stays_typed_in(office: Office, fields: dict[str, str]) -> None:
    with office.signed_in("主任") as browser:
        refused = post(browser, f"{PAGE}/settings", **fields)
    assert refused.status_code == 422
    assert 'class="wrong"' in refused.text
    assert next(iter(fields.values())) in refused.text


def test_an_order_is_listed_with_who_gave_it_and_what_became_of_it(office: Office) -> None:
    with office.signed_in("主任") as browser:
        ordered = post(browser, f"{PAGE}/order", verb="set_volume", volume="60")
        waiting = browser.get(f"{PAGE}/orders").text
        command = write(office.url, _first_command(office))
        answer = CommandAnswered(command=command, verb="set_volume", outcome="refused", reason="nobody is signed in")
        key = (office.district.district_id, 1)
        write(office.url, lambda link: service.take_answers(link, [(key, answer)], now_ms=office.now_ms))
        answered = browser.get(PAGE).text
    assert ordered.status_code == 303
    assert all(word in waiting for word in ("设置音量 60%", "主任", "等待执行"))
    assert all(word in answered for word in ("不能执行", "nobody is signed in"))


def test_an_order_nobody_took_is_shown_as_lapsed(office: Office) -> None:
    with office.signed_in("主任") as browser:
        post(browser, f"{PAGE}/order", verb="rescan")
        office.clock.advance(hours=2)
        assert "已过期，没有执行" in browser.get(f"{PAGE}/orders").text


@pytest.mark.parametrize("fields", [{"verb": "set_volume", "volume": "loud"}, {"verb": "reboot"}])
def test_an_order_that_makes_no_sense_is_refused(office: Office, fields: dict[str, str]) -> None:
    with office.signed_in("主任") as browser:
        assert post(browser, f"{PAGE}/order", **fields).status_code == 422


def test_a_township_may_order_but_not_set(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as browser:
        page = browser.get(PAGE)
        assert (page.status_code, "只有区中心可以修改设置" in page.text) == (200, True)
        assert post(browser, f"{PAGE}/settings", heartbeat_s="600").status_code == 403
        assert browser.get("/directions").status_code == 403


def test_another_township_sees_nothing(office: Office) -> None:
    with office.signed_in("大石镇管理员") as browser:
        assert browser.get(PAGE).status_code == 403
        assert browser.get(f"{PAGE}/orders").status_code == 403


def _first_command(office: Office) -> Callable[[Connection], Awaitable[str]]:
    async def find(link: Connection) -> str:
        return (await queries.list_commands(link, office.district.district_id, 1))[0].command_id

    return find
