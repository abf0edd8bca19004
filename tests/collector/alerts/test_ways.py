"""By which channel a person hears, what newer news takes the place of, and who is given the link."""

import asyncio

from sqlalchemy import update

from collector.alerts import links, queries, service
from collector.alerts.channels.base import OpenChannel
from collector.alerts.queries import State
from collector.keys import Keys
from collector.people.models import people
from collector.people.queries import Person, Role
from tests.collector.alerts.posts import Post
from tests.watching import MINUTE_MS, Watch, watch

TITLE = "宝轮镇 红星村"
FULL = {"host": {"disk_free": 1, "disk_total": 100}}
ROOMY = {"host": {"disk_free": 50, "disk_total": 100}}
ZHANG = Person(510802, 2, "张三", None, "13800001111", "z@example.cn", "", Role.BACKBONE, None, None, "zh")
HOUR_MS = 60 * MINUTE_MS


def channels() -> dict[str, OpenChannel]:
    """Mail, SMS and the log, with their own addresses."""
    known = service.list_channels()
    return {name: OpenChannel(known[name], Post().send, Keys()) for name in ("log", "mail", "sms", "wecom")}


def test_the_usual_order_is_the_channels_own_and_the_log_is_for_those_nothing_reaches() -> None:
    assert service.find_ways(ZHANG, {}, channels()) == [("mail", "z@example.cn"), ("sms", "13800001111")]
    nobody = Person(510802, 3, "李四", None, "", "", "", Role.PLAIN, None, None, "zh")
    assert service.find_ways(nobody, {}, channels()) == [("log", "person/3")]


def test_what_a_person_has_chosen_comes_first_and_what_they_refused_never() -> None:
    chosen = {"sms": (1, ""), "wecom": (2, "宝轮镇"), "mail": (0, "")}
    assert service.find_ways(ZHANG, chosen, channels()) == [
        ("sms", "13800001111"),
        ("wecom", "宝轮镇@13800001111"),
    ]


def test_one_cause_is_one_message_to_a_person_however_many_channels_reach_them(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            district.channels = {"one": Post().opened(rank=2), "two": Post().opened(rank=1)}
            district.probes = {TITLE: FULL}
            await district.run(7)
            return [(each.channel, district.who(each.person_id)) for each in await district.messages()]

    assert asyncio.run(story()) == [("two", "宝轮镇骨干")]


async def _at_night(district: Watch) -> None:
    district.now_ms += 4 * HOUR_MS
    await district.beat()
    district.probes = {TITLE: FULL}
    await district.run(10)


def test_a_fault_of_one_night_that_mended_itself_is_no_message_at_all(database_url: str) -> None:
    async def story() -> tuple[list[State], int]:
        async with watch(database_url) as district:
            district.channels = {"post": Post().opened()}
            await _at_night(district)
            district.probes = {TITLE: ROOMY}
            await district.run(60)
            district.now_ms += 9 * HOUR_MS
            return [each.state for each in await district.messages()], await district.send()

    assert asyncio.run(story()) == ([State.SUPERSEDED], 0)


def test_who_has_heard_of_the_beginning_hears_of_the_end(database_url: str) -> None:
    async def story() -> list[State]:
        async with watch(database_url) as district:
            district.channels = {"post": Post().opened()}
            district.probes = {TITLE: FULL}
            await district.run(10)
            await district.send()
            district.probes = {TITLE: ROOMY}
            await district.run(60)
            await district.send()
            return [each.state for each in await district.messages()]

    assert asyncio.run(story()) == [State.SENT, State.SENT]


def test_a_ticket_that_waits_is_told_with_a_link_for_its_reader_and_its_end_without(database_url: str) -> None:
    async def story() -> tuple[list[str], str, int]:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened()}
            district.probes = {TITLE: FULL}
            await district.run(10)
            await district.send()
            district.probes = {TITLE: ROOMY}
            await district.run(60)
            await district.send()
            async with district.database.read() as connection:
                key = await queries.get_link_key(connection, district.district.district_id)
            found = [str(each.data["acknowledge"]) for each in post.taken]
            return found, key or "", district.district.people["宝轮镇骨干"]

    (first, last), key, person = asyncio.run(story())
    token = first.removeprefix("http://centre.example.cn/a/")
    claim = links.read_token(token)
    assert links.is_signed(token, key)
    assert claim is not None
    assert (claim.ticket_id, claim.person_id, claim.version) == (1, person, 1)
    assert last == ""


def test_a_person_who_left_is_not_written_to(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(3)
            async with district.database.write() as connection:
                backbone = people.c.role == Role.BACKBONE
                await connection.execute(update(people).where(backbone).values(disabled_ms=1))
            await district.run(10)
            return [district.who(each.person_id) for each in await district.messages()]

    assert "宝轮镇骨干" not in asyncio.run(story())
