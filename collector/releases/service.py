"""What releases mean at the centre: take one in, offer it to a ring and then to all, see how far stations have come.

Every step is in the audit trail. Nothing here can make a station run what the release keys have not signed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
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
from shared.release import (
    BadRelease,
    Manifest,
    ReleaseKeys,
    read_header,
    read_version,
    require_signed,
    split_release,
)
from shared.wire.releases import ReleaseAnswer
from shared.wire.v1 import Heartbeat, UpgradeReport


class Standing(StrEnum):
    """How a station stands to what is offered to it; the worst first."""

    FAILED = "failed"
    WAITING = "waiting"
    FETCHING = "fetching"
    DONE = "done"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one station has come: the version it runs, the one offered to it, what it says of the change."""

    station: Station
    running: str
    offered: str
    report: UpgradeReport

    @property
    def standing(self) -> Standing:
        if not self.offered:
            return Standing.NONE
        if self.offered == self.running:
            return Standing.DONE
        if self.report.reason:
            return Standing.FAILED
        return Standing.FETCHING if self.report.size else Standing.WAITING

    @property
    def words(self) -> str:
        """Where it stands, in a word or two."""
        match self.standing:
            case Standing.FAILED:
                return self.report.reason
            case Standing.FETCHING:
                return f"已下载 {self.percent}%"
            case standing:
                return {Standing.NONE: "", Standing.DONE: "已换用"}.get(standing, "等待站点取用")

    @property
    def percent(self) -> int:
        """How much of the release is at the station."""
        return 100 * self.report.have // self.report.size if self.report.size else 0


@dataclass(frozen=True, slots=True)
class Held:
    """A release at the centre. `to_all` and `offers` say to whom it is offered now: to everybody, to how many alone."""

    manifest: Manifest
    signatures: int
    added_ms: int
    to_all: bool
    offers: int


async def add(
    connection: Connection,
    district_id: int,
    content: bytes,
    *,
    keys: ReleaseKeys | None,
    now_ms: int,
    person_id: int | None = None,
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
        raise ConflictError("这个版本已经收下过。内容有变的升级包要用新的版本号。")
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
    about = (district_id, manifest.version, person_id)
    await _record(connection, about, "release.added", detail, now_ms=now_ms)
    return manifest


async def offer(
    connection: Connection,
    district_id: int,
    version: str,
    station_ids: Sequence[int] | None,
    *,
    now_ms: int,
    untried: bool = False,
    person_id: int | None = None,
) -> int:
    """Offer a release to some stations, or to all (None); returns the number of the offer.

    A higher number makes stations that have taken it back try once more. Raises NotFoundError, and ConflictError when
    it is to go to all before any station runs it, unless `untried` is wanted.
    """
    if version not in await queries.list_versions(connection, district_id):
        raise NotFoundError("还没有收下这个版本。请先收下升级包。")
    if station_ids is None and not untried:
        running = Counter(each.running for each in await list_progress(connection, district_id))
        if not running[version]:
            raise ConflictError("还没有站点在用这个版本。请先给几个站点试用，换用成功后再发给全部。")
    number = await next_number(connection, district_id, "release_offers")
    chosen = [EVERY_STATION] if station_ids is None else station_ids
    await queries.put_offers(connection, district_id, chosen, version=version, offer=number, now_ms=now_ms)
    detail = {"offer": number, "stations": "all" if station_ids is None else list(station_ids)}
    await _record(connection, (district_id, version, person_id), "release.offered", detail, now_ms=now_ms)
    return number


async def withdraw(
    connection: Connection, district_id: int, version: str, *, now_ms: int, person_id: int | None = None
) -> None:
    """Offer a release to nobody any more; who has it keeps it. Raises NotFoundError."""
    count = await queries.drop_offers(connection, district_id, version)
    if not count:
        raise NotFoundError("这个版本没有发给任何站点。")
    about = (district_id, version, person_id)
    await _record(connection, about, "release.withdrawn", {"offers": count}, now_ms=now_ms)


async def list_held(connection: Connection, district_id: int) -> list[Held]:
    """The releases at the centre, the newest version first."""
    offers = await queries.list_offers(connection, district_id)
    held = []
    for kept in await queries.list_headers(connection, district_id):
        header = read_header(kept.header.encode())
        to = [each.station_id for each in offers if each.version == kept.version]
        alone = sum(each != EVERY_STATION for each in to)
        held.append(Held(header.manifest, len(header.signatures), kept.added_ms, EVERY_STATION in to, alone))
    return sorted(held, key=lambda each: read_version(each.manifest.version), reverse=True)


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
    connection: Connection, about: tuple[int, str, int | None], action: str, detail: Mapping[str, Any], *, now_ms: int
) -> None:
    """`about` is the district, the version, and who did it (None: by the command line)."""
    district_id, version, person_id = about
    await people.record(
        connection,
        district_id,
        person_id=person_id,
        action=action,
        object_=f"release/{version}",
        now_ms=now_ms,
        detail=dict(detail),
    )
