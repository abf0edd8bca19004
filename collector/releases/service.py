"""What releases mean at the centre: take one in, offer it to a ring and then to all, see how far stations have come.

Every step is in the audit trail. Nothing here can make a station run what the release keys have not signed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from collector.db.engine import Connection
from collector.db.numbers import next_number
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.people import queries as people
from collector.releases import queries
from collector.releases.models import EVERY_STATION
from collector.stations import queries as stations
from collector.stations.queries import Station
from shared.release import BadRelease, Manifest, ReleaseKeys, require_signed, split_release
from shared.wire.releases import ReleaseAnswer
from shared.wire.v1 import Heartbeat, UpgradeReport


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one station has come: the version it runs, the one offered to it, what it says of the change."""

    station: Station
    running: str
    offered: str
    report: UpgradeReport

    @property
    def words(self) -> str:
        """Where it stands, in a word or two."""
        if self.offered in {"", self.running}:
            return "已换用" if self.offered else ""
        if self.report.reason:
            return self.report.reason
        if self.report.size:
            return f"已下载 {100 * self.report.have // self.report.size}%"
        return "等待站点取用"


async def add(
    connection: Connection, district_id: int, content: bytes, *, keys: ReleaseKeys | None, now_ms: int
) -> Manifest:
    """Take a release in; checked against the release keys where they are at hand. It is offered to nobody yet.

    Raises BadInputError, ConflictError when another file of this version is here.
    """
    try:
        header, payload = split_release(content)
        if keys is not None:
            require_signed(header, keys)
    except BadRelease as error:
        raise BadInputError(str(error)) from error
    manifest = header.manifest
    if manifest.version in await queries.list_versions(connection, district_id):
        raise ConflictError(f"版本 {manifest.version} 已经收下过。内容有变的升级包要用新的版本号。")
    await queries.add_release(
        connection,
        district_id,
        version=manifest.version,
        sha256=manifest.sha256,
        header=header.dump().decode().strip(),
        payload=payload,
        now_ms=now_ms,
    )
    detail = {"sha256": manifest.sha256, "signed_by": sorted(header.signatures)}
    await _record(connection, district_id, "release.added", manifest.version, detail, now_ms=now_ms)
    return manifest


async def offer(
    connection: Connection,
    district_id: int,
    version: str,
    station_ids: Sequence[int] | None,
    *,
    now_ms: int,
    untried: bool = False,
) -> int:
    """Offer a release to some stations, or to all (None); returns the number of the offer.

    A higher number makes stations that have taken it back try once more. Raises NotFoundError, and ConflictError when
    it is to go to all before any station runs it, unless `untried` is wanted.
    """
    if version not in await queries.list_versions(connection, district_id):
        raise NotFoundError(f"还没有收下版本 {version}。请先运行：yuanjiao-collector upgrade add 升级包文件")
    if station_ids is None and not untried:
        running = Counter(each.running for each in await list_progress(connection, district_id))
        if not running[version]:
            raise ConflictError(f"还没有站点在用 {version}。请先给几个站点试用；一定要直接发给全部，请加 --untried。")
    number = await next_number(connection, district_id, "release_offers")
    chosen = [EVERY_STATION] if station_ids is None else station_ids
    await queries.put_offers(connection, district_id, chosen, version=version, offer=number, now_ms=now_ms)
    detail = {"offer": number, "stations": "all" if station_ids is None else list(station_ids)}
    await _record(connection, district_id, "release.offered", version, detail, now_ms=now_ms)
    return number


async def withdraw(connection: Connection, district_id: int, version: str, *, now_ms: int) -> None:
    """Offer a release to nobody any more; who has it keeps it. Raises NotFoundError."""
    count = await queries.drop_offers(connection, district_id, version)
    if not count:
        raise NotFoundError(f"版本 {version} 没有发给任何站点。")
    await _record(connection, district_id, "release.withdrawn", version, {"offers": count}, now_ms=now_ms)


async def get_answer(connection: Connection, district_id: int, station_id: int) -> tuple[str, ReleaseAnswer] | None:
    """Version and answer for a station that asks; None when nothing is offered to it."""
    found = await queries.get_offer(connection, district_id, station_id)
    if found is None:
        return None
    offered, header = found
    return offered.version, ReleaseAnswer(offer=offered.offer, header=header)


async def list_progress(connection: Connection, district_id: int) -> list[Progress]:
    """Every station in use with the version it runs, as its newest heartbeat says."""
    offers = {each.station_id: each for each in await queries.list_offers(connection, district_id)}
    states = await stations.list_states(connection, district_id)
    everybody = offers.get(EVERY_STATION)
    rows = []
    for station in await stations.list_stations(connection, district_id):
        own = [each for each in (everybody, offers.get(station.station_id)) if each is not None]
        offered = max(own, key=lambda each: each.offer).version if own else ""
        state = states.get(station.station_id)
        heartbeat = None if state is None else _read(state.heartbeat)
        report = UpgradeReport() if heartbeat is None else heartbeat.upgrade
        rows.append(Progress(station, "" if heartbeat is None else heartbeat.agent, offered, report))
    return rows


def _read(heartbeat: str) -> Heartbeat | None:
    try:
        return Heartbeat.model_validate_json(heartbeat)
    except ValidationError:
        return None


async def _record(
    connection: Connection, district_id: int, action: str, version: str, detail: Mapping[str, Any], *, now_ms: int
) -> None:
    await people.record(
        connection,
        district_id,
        person_id=None,
        action=action,
        object_=f"release/{version}",
        now_ms=now_ms,
        detail=dict(detail),
    )
