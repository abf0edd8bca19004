"""A box between station and centre that has broken the TLS: it reads every push, harms some and invents answers.

What befalls a push is decided by how many came before it, by the seed and by what it carries, never by a clock. Each
fate waits for the next push that it fits; between two of them pushes pass, and when all have struck, all do.
"""

import contextlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

import httpx
from fastapi import FastAPI, Request, Response

from collector.errors import PushRefusedError
from collector.intake.unpacking import inflate
from shared.wire.packing import dictionary_of, pack
from shared.wire.v1 import PATH
from tests.serving import serving_thread


class Kind(StrEnum):
    BYTE = "a bit of the body is turned"
    SWAPPED = "two lines change places"
    DROPPED = "a line is taken out"
    DOUBLED = "a line stands there twice"
    MERGED = "the lines of an older push are put in front"
    HEADER = "the proof in the header is another"
    REPLAYED = "an old push comes before it"
    TOO_HIGH = "swallowed, and all that the station ever wrote is called stored"
    OF_ANOTHER = "swallowed, and what an older push was told is called stored"


HARMED = frozenset({Kind.BYTE, Kind.SWAPPED, Kind.DROPPED, Kind.DOUBLED, Kind.MERGED, Kind.HEADER})
"""What then reaches the centre is not what the station sent."""
INVENTED = frozenset({Kind.TOO_HIGH, Kind.OF_ANOTHER})


@dataclass(frozen=True, slots=True)
class Seen:
    """A push as the station sent it."""

    body: bytes
    proof: str
    lines: list[bytes]
    """Unpacked; the first is the envelope."""


@dataclass(slots=True)
class MeddlingBox:
    """Leads to the centre at `towards`. `told` is what the centre answered to what was harmed or sent again."""

    towards: str
    fates: deque[Kind]
    dice: Random
    told: list[tuple[Kind, int]] = field(default_factory=list)
    struck: list[Kind] = field(default_factory=list)
    _seen: list[Seen] = field(default_factory=list)
    """Those that the centre took as they were."""
    _firsts: list[bytes] = field(default_factory=list)
    """First lines of all that came by: with each of them a later one may be packed."""
    _answers: list[bytes] = field(default_factory=list)
    _rests: bool = True

    @property
    def is_good(self) -> bool:
        """Whether every fate has struck."""
        return not self.fates

    async def take(self, request: Request) -> Response:
        """One push of the station, from its arrival to the answer it gets."""
        push = self._read(await request.body(), request.headers["authorization"])
        kind = None if self._rests or not self.fates or not self._fits(self.fates[0], push) else self.fates.popleft()
        self._rests = not self._rests
        if kind is not None:
            self.struck.append(kind)
        if kind in INVENTED:
            return Response(self._invent(kind, push), media_type="application/json")
        async with httpx.AsyncClient(base_url=self.towards, trust_env=False) as centre:
            if kind is Kind.REPLAYED:
                old = self.dice.choice(self._seen)
                self.told.append((kind, (await _send(centre, old.body, old.proof)).status_code))
            body, proof = (push.body, push.proof) if kind not in HARMED else self._harm(kind, push)
            answer = await _send(centre, body, proof)
        if kind in HARMED:
            self.told.append((kind, answer.status_code))
        elif answer.status_code == httpx.codes.OK:
            self._answers.append(answer.content)
            self._seen.append(push)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    def _read(self, body: bytes, proof: str) -> Seen:
        for first in (b"", *reversed(self._firsts)):
            with contextlib.suppress(PushRefusedError):
                push = Seen(body, proof, inflate(body, dictionary_of(first)).splitlines())
                self._firsts.append(push.lines[0])
                return push
        raise AssertionError("a push that nobody can unpack")

    def _fits(self, kind: Kind, push: Seen) -> bool:
        """Whether it would make a difference."""
        if kind in {Kind.SWAPPED, Kind.DROPPED, Kind.DOUBLED}:
            return len(push.lines) > 2
        if kind is Kind.TOO_HIGH:
            return bool(self._answers) and _written(push) > int(json.loads(self._answers[-1])["stored"])
        return kind in {Kind.BYTE, Kind.HEADER} or bool(self._seen)

    def _harm(self, kind: Kind, push: Seen) -> tuple[bytes, str]:
        if kind is Kind.HEADER:
            at = push.proof.index('sig="') + len('sig="') + self.dice.randrange(10)
            return push.body, push.proof[:at] + ("A" if push.proof[at] != "A" else "B") + push.proof[at + 1 :]
        if kind is Kind.BYTE:
            at = self.dice.randrange(len(push.body))
            turned = push.body[at] ^ (1 << self.dice.randrange(8))
            return push.body[:at] + bytes([turned]) + push.body[at + 1 :], push.proof
        envelope, *lines = push.lines
        if kind is Kind.MERGED:
            envelope, *older = self.dice.choice(self._seen).lines
            lines = older + lines
        else:
            one, other = sorted(self.dice.sample(range(len(lines)), 2))
            altered = {
                Kind.SWAPPED: [*lines[:one], lines[other], *lines[one + 1 : other], lines[one], *lines[other + 1 :]],
                Kind.DROPPED: lines[:one] + lines[one + 1 :],
                Kind.DOUBLED: lines[: one + 1] + lines[one:],
            }
            lines = altered[kind]
        return pack(b"\n".join((envelope, *lines)) + b"\n", b""), push.proof

    def _invent(self, kind: Kind, push: Seen) -> bytes:
        """The newest answer with another number in it: an older lease would pass the station off as its own copy."""
        older = self.dice.choice(self._answers)
        stored = _written(push) if kind is Kind.TOO_HIGH else json.loads(older)["stored"]
        return json.dumps(json.loads(self._answers[-1]) | {"stored": stored}).encode()


def _written(push: Seen) -> int:
    """The last line that the station has, sent or not."""
    return int(json.loads(push.lines[0])["heartbeat"]["spool"]["last"])


async def _send(centre: httpx.AsyncClient, body: bytes, proof: str) -> httpx.Response:
    return await centre.post(PATH, content=body, headers={"Authorization": proof})


@contextlib.contextmanager
def meddling_box(towards: int, kinds: Sequence[Kind], seed: int) -> Iterator[tuple[MeddlingBox, str]]:
    """A box in front of the centre at this port, and the address at which it poses as the centre."""
    dice = Random(seed)  # noqa: S311 - reproducible on purpose
    box = MeddlingBox(f"http://127.0.0.1:{towards}", deque(dice.sample(kinds, len(kinds))), dice)
    app = FastAPI()
    app.add_api_route(PATH, box.take, methods=["POST"], response_model=None)
    with serving_thread(app) as port:
        yield box, f"http://127.0.0.1:{port}"
