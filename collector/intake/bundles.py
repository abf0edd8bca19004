"""Takes in bundles of pushes that were carried here on a stick: proved, admitted and stored as those of the network.

What differs is only what they say about the present: nothing (`Received.carried`). Replays and overlaps are harmless
for the same reason as online: chain, numbering and compare-and-set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path

from collector.db.engine import Connection, Database
from collector.errors import BadInputError, PushRefusedError
from collector.intake import queries
from collector.intake.queries import StreamKey
from collector.intake.service import Received, store
from collector.intake.unpacking import unpack
from collector.stations.queries import require_station
from shared import signing
from shared.bundle import METHOD, BadBundle, Kept, Part, Receipt, read_parts
from shared.wire.v1 import PATH

_GROUP = 50

_SENTENCES = {
    "bad-signature": "签名不对：内容被改动过，或不是由站点的程序写出的。请回到站点重新导出。",
    "unknown-key": "本中心没有登记过写出它的站点。请核对是不是别的区县的记录包。",
    "key-revoked": "写出它的电脑已经停用（换机或注销），没有采用。如果电脑还在用，请重新登记。",
    "stream-conflict": "它与已收到的记录互相矛盾，没有采用；内容已作为证据保存，请通知管理员。",
    "raced": "中心正在写入同一个站点的记录，请稍后再导入一次。",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one bundle: the station's title, lines that were `new` and lines `known` before."""

    title: str
    new: int
    known: int
    receipt: Receipt


async def import_bundle(database: Database, path: Path, *, now_ms: int) -> Imported:
    """Store a bundle, fifty pushes a transaction. Raises BadInputError, in words for people, when it cannot be taken.

    What was stored beside or before a refusal stays stored: it was right.
    """
    try:
        return await _import(database, read_parts(path), now_ms)
    except OSError as error:
        raise BadInputError(f"读不到这个文件：{error.strerror}") from error
    except BadBundle as error:
        raise BadInputError(str(error)) from error
    except PushRefusedError as error:
        sentence = _SENTENCES.get(error.problem, f"中心没有采用（{error.problem}：{error}）。")
        raise BadInputError(sentence) from error


async def _import(database: Database, parts: Iterator[Part], now_ms: int) -> Imported:
    lines = new = 0
    streams: set[StreamKey] = set()
    refusals: list[PushRefusedError] = []
    while group := list(islice(parts, _GROUP)):
        async with database.write() as connection:
            pushes = [await _prove(connection, part, now_ms) for part in group]
            streams |= {each.stream for each in pushes}
            if len({(district, station) for district, station, _ in streams}) > 1:
                raise BadInputError("这个记录包里混有几个站点的记录，没有采用。")
            touched = {each.stream for each in pushes}
            before = await queries.count_events(connection, touched)
            results = await store(connection, pushes, now_ms=now_ms)
            new += await queries.count_events(connection, touched) - before
        lines += sum(len(each.push.lines) for each in pushes)
        refusals += [each for each in results if isinstance(each, PushRefusedError)]
    if refusals:
        raise refusals[0]
    if not streams:
        raise BadInputError("这个记录包是空的。")
    return await _conclude(database, streams, lines, new, now_ms)


async def _prove(connection: Connection, part: Part, now_ms: int) -> Received:
    """The push in one part, once its signature has been checked as on the network."""
    header, body = part
    try:
        claim = signing.read_claim(header)
        district_id, station_id = map(int, claim.station.split("/"))
        key = await queries.get_public_key(connection, district_id, station_id, claim.key_id)
        if key is None:
            raise PushRefusedError(401, "unknown-key", "this station and key are not known here")
        signing.verify(claim, key, method=METHOD, path=PATH, body=body)
    except signing.BadSignature as error:
        raise PushRefusedError(401, "bad-signature", str(error)) from error
    push = unpack(body)
    if push.envelope.station != claim.station:
        raise PushRefusedError(403, "wrong-station", "the envelope names another station than the signature")
    return Received((district_id, station_id), claim.key_id, push, now_ms, carried=True)


async def _conclude(database: Database, streams: set[StreamKey], lines: int, new: int, now_ms: int) -> Imported:
    district_id, station_id, _ = next(iter(streams))
    async with database.read() as connection:
        title = (await require_station(connection, district_id, station_id)).title
        rows = await queries.list_streams(connection, streams)
    kept = [
        Kept(stream=name, stored=row.stored, head=row.head.hex())
        for (_, _, name), row in sorted(rows.items(), key=itemgetter(0))
    ]
    receipt = Receipt(station=f"{district_id}/{station_id}", time=now_ms, streams=kept)
    return Imported(title, new, lines - new, receipt)
