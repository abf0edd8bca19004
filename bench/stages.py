"""Where the time of a push goes, stage by stage, in µs of CPU: the centre's own functions, without the network."""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nacl.encoding import HexEncoder

from bench.load import CENTRE
from collector.centre import Centre
from collector.db.engine import Database
from collector.intake.admission import admit
from collector.intake.directing import direct
from collector.intake.keyring import Keyring
from collector.intake.service import Received, store
from collector.intake.unpacking import unpack
from collector.seal import load_seal
from collector.settings import Settings
from shared.clock import SystemClock
from tests.districts import LIZHOU

GROUP = 64


async def measure_stages(url: str, requests: Sequence[bytes]) -> dict[str, float]:
    """`proof` of the sender, `unpack`, reading the `lines` (a part of `store`), `store` in groups of 64.

    The requests are pushes to an empty log, each station's in order. What is missing to the server's CPU is HTTP.
    """
    with TemporaryDirectory() as folder:
        (Path(folder) / "centre.key").write_bytes(CENTRE.encode(HexEncoder))
        centre = Centre(Settings(database=url), Database(url), SystemClock(), load_seal(Path(folder)))
    heads, bodies = zip(*(each.split(b"\r\n\r\n", 1) for each in requests), strict=True)
    headers = [_authorization(head) for head in heads]
    ring = Keyring(centre)
    claims = [await ring.check(header, body) for header, body in zip(headers, bodies, strict=True)]
    pushes = [unpack(body) for body in bodies]
    received = [
        Received((LIZHOU, int(claim.station.partition("/")[2])), claim.key_id, push, centre.now_ms, is_signed=False)
        for claim, push in zip(claims, pushes, strict=True)
    ]

    async def prove() -> None:
        for header, body in zip(headers, bodies, strict=True):
            await ring.check(header, body)

    async def unpack_all() -> None:
        for body in bodies:
            unpack(body)

    async def read_lines() -> None:
        for push in pushes:
            head = bytes.fromhex(push.envelope.head)
            first = push.envelope.first
            admit(first=first, head=head, lines=push.lines, stored=first - 1, stored_head=head)

    async def store_all() -> None:
        for start in range(0, len(received), GROUP):
            group = received[start : start + GROUP]
            async with centre.database.write() as connection:
                results = await store(connection, group, now_ms=centre.now_ms)
                await direct(connection, group, results, now_ms=centre.now_ms)

    stages = {"proof": prove, "unpack": unpack_all, "lines": read_lines, "store": store_all}
    spent = {name: await _time(work, len(requests)) for name, work in stages.items()}
    await centre.database.close()
    return spent


async def _time(work: Callable[[], Awaitable[None]], count: int) -> float:
    began = time.process_time()
    await work()
    return round((time.process_time() - began) / count * 1e6, 1)


def _authorization(head: bytes) -> str:
    line = next(each for each in head.split(b"\r\n") if each.startswith(b"Authorization: "))
    return line.removeprefix(b"Authorization: ").decode()
