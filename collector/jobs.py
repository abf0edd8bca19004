"""Periodic work, as one ordered list. The database hands each slot of a job to one process (`collector.db.claims`)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from collector import tls
from collector.alerts import sending
from collector.alerts import service as alerts
from collector.alerts.channels.base import OpenChannel
from collector.areas import queries as areas
from collector.centre import Centre
from collector.db import presence
from collector.db.engine import Connection
from collector.faults import pasts
from collector.faults import service as faults
from collector.faults.holding import is_hold_over
from collector.intake import inbox, pledging
from collector.intake.refusals import Refusals
from collector.job_runner import Job
from collector.operators import reminding
from collector.people import queries as people
from collector.storage import service as storage
from collector.tickets import settling as tickets
from collector.timeline import queries as timeline
from collector.usage import reconciling
from collector.usage import service as usage

ReadySince = Callable[[], Awaitable[int]]
"""Since when stations could be heard, epoch ms: our own downtime accuses nobody."""

INTAKE = "part.intake"
PRESENCE_MS = 45_000
PROMPT_S = 2
"""How often it is looked whether a hold has ended and whether a message is due: an alert leaves within 5 s."""
SILENCE_MS = 15_000
"""How often all districts are looked through for stations that have fallen silent."""


@dataclass(slots=True)
class Rounds:
    """When each district was last judged, and when all were last looked through for silence."""

    judged: dict[int, int] = field(default_factory=dict)
    looked_ms: int = 0


def list_jobs(centre: Centre, ready_since: ReadySince) -> list[Job]:
    """All periodic work, in the order of the pipeline. Each slot is done by one of the processes."""
    settings = centre.settings
    channels = alerts.open_channels(settings.keys)
    rounds = Rounds()
    return [
        Job("storage.months", 3600, lambda _: make_months(centre)),
        Job("usage.fold", settings.fold_every_s, lambda _: fold_usage(centre)),
        Job("usage.reconcile", 3600, lambda _: reconcile_stock(centre)),
        Job("faults.look_back", 900, lambda _: look_back(centre)),
        Job("faults.judge", PROMPT_S, lambda _: judge_promptly(centre, ready_since, channels, rounds)),
        Job("alerts.send", PROMPT_S, lambda _: pump_alerts(centre, channels)),
        Job("intake.pledges", 300, lambda _: check_pledges(centre)),
        Job("people.tidy", 3600, lambda _: tidy_people(centre)),
        Job("operators.remind", 3600, lambda _: remind_of_training(centre, channels)),
        Job("storage.retention", 86_400, lambda _: drop_old_events(centre)),
    ]


def list_duties(centre: Centre, refusals: Refusals) -> list[Job]:
    """What every serving process does itself. On SQLite it is the only one, and commands hand bundles to it."""
    attending = [Job("intake.attend", 15, lambda _: attend(centre), own=True)]
    if centre.database.is_sqlite:
        attending = [Job("intake.bundles", PROMPT_S, lambda _: inbox.attend(centre), own=True)]
    return [
        *attending,
        Job("intake.refusals", 15, lambda _: refusals.write_down(), own=True),
        Job("tls.renew", 86_400, lambda _: renew_certificates(centre), own=True),
    ]


async def make_months(centre: Centre) -> None:
    """Have a place for the events of this month and the next ones."""
    settings = centre.settings
    await storage.make_months(
        centre.database, keep_months=settings.keep_months, now_ms=centre.now_ms, zone=settings.zone
    )


async def fold_usage(centre: Centre) -> None:
    """Turn new events into playbacks, stock, sessions and daily figures."""
    await usage.fold(centre.database, zone=centre.settings.zone, now_ms=centre.now_ms)


async def reconcile_stock(centre: Centre) -> None:
    """Ask stations that hold other files than we believe for their inventory."""
    async with centre.database.read() as connection:
        districts = await areas.list_districts(connection)
    for each in districts:
        async with centre.database.write() as connection:
            await reconciling.reconcile(connection, each.district_id, now_ms=centre.now_ms)


async def look_back(centre: Centre) -> None:
    """Look up what the books say of each station's last weeks, for the rules that judge weeks."""
    async with centre.database.read() as connection:
        districts = await areas.list_districts(connection)
    for each in districts:
        async with centre.database.write() as connection:
            await pasts.look_back(connection, each.district_id, now_ms=centre.now_ms, zone=centre.settings.zone)


async def judge_promptly(
    centre: Centre, ready_since: ReadySince, channels: Mapping[str, OpenChannel], rounds: Rounds
) -> None:
    """Judge each district every so often, and at once where a hold has ended or a station has fallen silent."""
    settings, now_ms = centre.settings, centre.now_ms
    every_ms, ready_ms = settings.judge_every_s * 1000, await ready_since()
    async with centre.database.read() as connection:
        districts = [each.district_id for each in await areas.list_districts(connection)]
        ripe = {each for each in districts if await _is_ripe(connection, centre, each)}
        ripe |= await _list_fallen_silent(connection, centre, ready_ms, rounds)
    for each in districts:
        if each in ripe or not 0 <= now_ms - rounds.judged.get(each, 0) < every_ms:
            await judge_district(centre, each, ready_ms, channels)
            rounds.judged[each] = now_ms


async def _list_fallen_silent(connection: Connection, centre: Centre, ready_ms: int, rounds: Rounds) -> set[int]:
    """Districts that must not wait for their turn; none while nobody could have been heard for long enough."""
    before_ms = centre.now_ms - (centre.settings.heartbeat_s + centre.settings.grace_s) * 1000
    if ready_ms > before_ms or 0 <= centre.now_ms - rounds.looked_ms < SILENCE_MS:
        return set()
    rounds.looked_ms = centre.now_ms
    return await timeline.list_fallen_silent(connection, before_ms=before_ms)


async def _is_ripe(connection: Connection, centre: Centre, district_id: int) -> bool:
    period_s, patience = centre.settings.heartbeat_s, centre.settings.patience
    return await is_hold_over(connection, district_id, period_s=period_s, patience=patience, now_ms=centre.now_ms)


async def judge_faults(centre: Centre, ready_since: ReadySince) -> None:
    """Judge every district now: for whoever drives the clock by hand."""
    channels = alerts.open_channels(centre.settings.keys)
    await judge_promptly(centre, ready_since, channels, Rounds())


async def judge_district(
    centre: Centre, district_id: int, ready_since_ms: int, channels: Mapping[str, OpenChannel]
) -> None:
    """Find faults, bring tickets into line and write the messages about it, in one transaction."""
    settings, now_ms = centre.settings, centre.now_ms
    async with centre.database.write() as connection:
        await faults.judge(
            connection,
            district_id,
            period_s=settings.heartbeat_s,
            grace_s=settings.grace_s,
            ready_since_ms=ready_since_ms,
            now_ms=now_ms,
            patience=settings.patience,
        )
        await tickets.settle(connection, district_id, period_s=settings.heartbeat_s, now_ms=now_ms, zone=settings.zone)
        await alerts.tell(
            connection,
            district_id,
            channels=channels,
            public_url=settings.public_url,
            now_ms=now_ms,
            zone=settings.zone,
        )


async def send_alerts(centre: Centre) -> None:
    """Send what is due now: for whoever drives the clock by hand."""
    await pump_alerts(centre, alerts.open_channels(centre.settings.keys))


async def pump_alerts(centre: Centre, channels: Mapping[str, OpenChannel]) -> None:
    """Send what is due, all districts side by side, until nothing is."""
    async with centre.database.read() as connection:
        districts = await areas.list_districts(connection)
    pumps = (
        sending.pump(
            centre.database,
            each.district_id,
            channels=channels,
            clock=lambda: centre.now_ms,
            zone=centre.settings.zone,
        )
        for each in districts
    )
    await asyncio.gather(*pumps)


async def check_pledges(centre: Centre) -> None:
    """Hold the stations' own signatures against their records, and miss those that do not come."""
    await pledging.check_pledges(centre.database, now_ms=centre.now_ms)
    await pledging.tell_unproven(centre.database, now_ms=centre.now_ms)


async def remind_of_training(centre: Centre, channels: Mapping[str, OpenChannel]) -> None:
    """Tell the offices, once a month from autumn on, which "1" has no training this year."""
    settings = centre.settings
    async with centre.database.read() as connection:
        districts = await areas.list_districts(connection)
    for each in districts:
        async with centre.database.write() as connection:
            await reminding.remind_of_training(
                connection,
                each.district_id,
                channels=channels,
                public_url=settings.public_url,
                now_ms=centre.now_ms,
                zone=settings.zone,
            )


async def tidy_people(centre: Centre) -> None:
    """Forget sign-in sessions and links that are over."""
    async with centre.database.write() as connection:
        await people.end_sessions_before(connection, centre.now_ms)


async def drop_old_events(centre: Centre) -> None:
    """Let go of raw events nobody needs any more."""
    settings = centre.settings
    await storage.drop_old_events(
        centre.database, keep_months=settings.keep_months, now_ms=centre.now_ms, zone=settings.zone
    )


async def attend(centre: Centre) -> None:
    """Tell the workers that somebody is here to hear stations."""
    async with centre.database.write() as connection:
        await presence.attend(connection, INTAKE, lease_ms=PRESENCE_MS, now_ms=centre.now_ms)


async def renew_certificates(centre: Centre) -> None:
    """Take the steps that are due, or notice that another process has; stations hear of it at their next push."""
    folder, settings = tls.Folder(centre.settings.tls_folder), centre.settings
    if folder.trust.exists():
        tls.keep_up(folder, names=tls.list_names(settings.public_url, settings.host), now_ms=centre.now_ms)
    if centre.seal is not None:
        centre.seal.refresh()


async def heard_since(centre: Centre) -> int:
    """For a worker: since when some serving process has been hearing stations; now, while none does."""
    now_ms = centre.now_ms
    async with centre.database.read() as connection:
        since_ms = await presence.served_since(connection, INTAKE, now_ms=now_ms)
    return now_ms if since_ms is None else since_ms
