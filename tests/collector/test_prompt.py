"""From the end of a hold to the receiver: five seconds at most, in time that is moved by hand."""

import asyncio

import pytest

from collector import jobs
from collector.centre import Centre
from collector.settings import Settings
from tests.clocks import ManualClock
from tests.collector.alerts.posts import Post
from tests.watching import GRACE_S, PERIOD_S, Watch, watch

TITLE = "宝轮镇 红星村"
FULL = {"host": {"disk_free": 1, "disk_total": 100}}
HOLD_S = 60
"""How long the rule of the full disk holds back."""
WITHIN_S = 5
STEP_S = 1


async def _ready() -> int:
    return 0


@pytest.mark.parametrize("start_s", [0, 1, 7, 13])
def test_an_alert_leaves_within_five_seconds_of_the_end_of_its_hold(database_url: str, start_s: int) -> None:
    async def story() -> float:
        async with watch(database_url) as district:
            return await _wait_for_news(district, start_s)

    waited_s = asyncio.run(story())
    assert HOLD_S <= waited_s <= HOLD_S + WITHIN_S


async def _wait_for_news(district: Watch, start_s: int) -> float:
    """Seconds from the first sight of a full disk to the message in its receiver's hands."""
    clock = ManualClock()
    clock.set_wall(district.now_ms + start_s * 1000)
    settings = Settings(heartbeat_s=PERIOD_S, grace_s=GRACE_S, judge_every_s=45)
    centre = Centre(settings, district.database, clock)
    post, rounds = Post(), jobs.Rounds()
    channels = {"post": post.opened()}
    district.probes = {TITLE: FULL}
    await district.beat()
    await jobs.judge_promptly(centre, _ready, channels, rounds)
    begin_ms = centre.now_ms
    for second in range(HOLD_S + 60):
        clock.advance(seconds=STEP_S)
        if second % jobs.PROMPT_S == 0:
            await jobs.judge_promptly(centre, _ready, channels, rounds)
        if second % jobs.PROMPT_S == 1:
            await jobs.pump_alerts(centre, channels)
        if post.taken:
            break
    return (centre.now_ms - begin_ms) / 1000


def test_a_station_that_falls_silent_is_noticed_before_its_districts_turn_and_once(database_url: str) -> None:
    async def story() -> list[float]:
        async with watch(database_url) as district:
            return [at_ms / 1000 for at_ms in await _list_judged(district)]

    turn_s, noticed_s, next_s = asyncio.run(story())
    assert turn_s < PERIOD_S + GRACE_S <= noticed_s < PERIOD_S + GRACE_S + 15 + jobs.PROMPT_S
    assert next_s - noticed_s >= PERIOD_S


async def _list_judged(district: Watch) -> list[int]:
    """When the district was judged, in ms since its last heartbeat, from shortly before it must be called silent on."""
    clock = ManualClock()
    clock.set_wall(district.now_ms)
    centre = Centre(Settings(heartbeat_s=PERIOD_S, grace_s=GRACE_S, judge_every_s=PERIOD_S), district.database, clock)
    await district.beat()
    rounds, begin_ms, judged = jobs.Rounds(), centre.now_ms, list[int]()
    await jobs.judge_promptly(centre, _ready, {}, rounds)
    clock.advance(seconds=PERIOD_S + GRACE_S - 60)
    while len(judged) < 3:
        await jobs.judge_promptly(centre, _ready, {}, rounds)
        judged = sorted({*judged, *(each - begin_ms for each in rounds.judged.values())})
        clock.advance(seconds=jobs.PROMPT_S)
    return judged


def test_nobody_is_looked_for_while_the_centre_itself_was_away(database_url: str) -> None:
    async def story() -> int:
        async with watch(database_url) as district:
            clock = ManualClock()
            clock.set_wall(district.now_ms + (PERIOD_S + GRACE_S) * 1000)
            centre = Centre(Settings(heartbeat_s=PERIOD_S, grace_s=GRACE_S), district.database, clock)
            rounds = jobs.Rounds()
            await district.beat()
            await jobs.judge_promptly(centre, _just_now(centre), {}, rounds)
            return rounds.looked_ms

    assert asyncio.run(story()) == 0


def _just_now(centre: Centre) -> jobs.ReadySince:
    async def ready() -> int:
        return centre.now_ms - 1000

    return ready


def test_a_hold_is_looked_at_as_often_as_a_message() -> None:
    assert 2 * jobs.PROMPT_S <= WITHIN_S
