"""Pushes: one heartbeat and as many waiting lines as the centre's pace allows. The cursor is what the centre says.

Synchronous and driven by `tick(now)`; the transport and the dice are injected.
"""

import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agent.errors import LinkError
from agent.identity import Identity, Keeping, has_next_key
from agent.packing import Packer
from agent.proving import Prover
from agent.rotation import rotate
from agent.spool import Batch, Spool
from agent.transport import Response, Transport
from agent.version import VERSION
from shared import signing
from shared.clock import Instant
from shared.wire.packing import UNKNOWN_DICTIONARY
from shared.wire.v1 import (
    MAX_EVENTS,
    NEW_KEY,
    PATH,
    Answer,
    Envelope,
    Heartbeat,
    Pledge,
    ProbeReport,
    SpoolReport,
    Trust,
    dump_line,
)

log = logging.getLogger("yuanjiao.uplink")

MAX_BATCH_BYTES = 512 * 1024
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0


@dataclass(slots=True)
class Uplink:
    """`heartbeat_s` between heartbeats, `flush_s` before a new line is sent; `reports` gives the sensors' states."""

    identity: Identity
    transport: Transport
    spool: Spool
    reports: Callable[[], Mapping[str, ProbeReport]]
    heartbeat_s: int
    flush_s: int
    dice: random.Random = field(default_factory=random.Random)
    full: Callable[[], bool] = lambda: False
    stamp: Callable[[], Mapping[str, Any]] = dict
    """What else a heartbeat says: the opening hours, and which of the centre's settings are in force."""
    heed: Callable[[Answer, Instant], None] = lambda _answer, _now: None
    """What else is done with an answer that is surely the centre's: settings and commands (`agent/directions.py`)."""
    keeping: Keeping = field(default_factory=Keeping)
    version: str = VERSION
    """The version of the agent, as a heartbeat says it."""
    _prover: Prover = field(default_factory=Prover)
    _packer: Packer = field(default_factory=Packer)
    _heartbeat_due_ms: int = 0
    _waiting_since_ms: int | None = None
    _not_before_ms: int = 0
    _failures: int = 0
    _max_events: int = MAX_EVENTS
    offset_ms: int | None = None
    """Centre's time minus ours at the last answer."""
    last_error: str = ""

    def tick(self, now: Instant) -> None:
        """Push when a heartbeat is due or lines have waited long enough, as far as pace and backoff allow."""
        if self._is_due(now) and now.mono_ms >= self._not_before_ms:
            self.push(now)

    def push(self, now: Instant) -> bool:
        """Push once, now. True when the centre took it."""
        # After a failure the first push is a bare heartbeat: when a whole county comes back, everybody is seen at once
        # and the centre says who sends the past when.
        lines = 0 if self._failures else self._max_events
        batch = self.spool.batch(max_lines=lines, max_bytes=MAX_BATCH_BYTES)
        pledge = self._pledge(batch, now)
        plain = self._body(batch, pledge, now)
        try:
            body, response = self._send(plain)
            if response.status == 412 and _problem(response).endswith(UNKNOWN_DICTIONARY):
                self._packer.forget()
                body, response = self._send(plain)
        except LinkError as error:
            self._back_off(now, str(error), None)
            return False
        return self._take(response, batch, pledge, body, now)

    def _send(self, plain: bytes) -> tuple[bytes, Response]:
        body = self._packer.pack(plain)
        header = self._prover.authorize(self.identity, body)
        return body, self.transport.post(PATH, body, {"Authorization": header})

    def _pledge(self, batch: Batch, now: Instant) -> Pledge | None:
        # Behind a gap the station itself may not know the chain: what it cannot know it does not pledge.
        known = bool(batch.lines) and b'"kind":"spool.gap"' not in batch.lines[-1]
        head = self.spool.chain_at(batch.stream, batch.last) if known else None
        return self._prover.pledge(self.identity, batch, head, now)

    def _is_due(self, now: Instant) -> bool:
        if now.mono_ms >= self._heartbeat_due_ms:
            return True
        if self.spool.depth().waiting == 0:
            self._waiting_since_ms = None
            return False
        if self._waiting_since_ms is None:
            self._waiting_since_ms = now.mono_ms
        return now.mono_ms - self._waiting_since_ms >= self.flush_s * 1000

    def _body(self, batch: Batch, pledge: Pledge | None, now: Instant) -> bytes:
        depth = self.spool.depth()
        heartbeat = Heartbeat(
            wall=now.wall_ms,
            mono=now.mono_ms,
            boot=now.boot,
            agent=self.version,
            spool=SpoolReport(
                last=depth.last, waiting=depth.waiting, bytes=depth.bytes, full=self.full(), stream=self.spool.stream
            ),
            probes=dict(self.reports()),
            **self.stamp(),
        )
        envelope = Envelope(
            wire=1,
            station=self.identity.station,
            stream=batch.stream,
            first=batch.first,
            head=batch.head.hex(),
            heartbeat=heartbeat,
            lease=self.keeping.lease,
            trust=self.keeping.trust,
            pledge=pledge,
        )
        first = dump_line(envelope.model_dump(by_alias=True, exclude_defaults=True) | {"wire": 1})
        return b"\n".join((first, *batch.lines)) + b"\n"

    def _take(self, response: Response, batch: Batch, pledge: Pledge | None, request: bytes, now: Instant) -> bool:
        if response.status == 401 and _problem(response).endswith("bad-signature"):
            self._prover.refuse()
        if response.status != 200:
            # What comes over a connection that met no clock may be forged until the centre's signature says otherwise.
            if response.valid_ms is None:
                self._heed(response, batch, now)
            self._back_off(now, _problem(response) or f"status {response.status}", response.retry_after_s)
            return False
        try:
            answer = Answer.model_validate_json(response.body)
        except ValidationError:
            self._back_off(now, "the answer is not from a centre", None)
            return False
        if response.valid_ms is not None and not self._is_proven(response, answer, request):
            self._back_off(now, "the clock is wrong and the answer does not prove itself", None)
            return False
        self._packer.note_taken()
        self._keep(answer)
        self._prover.keep(pledge, batch.stream, answer.stored, now)
        self._acknowledge(answer, batch, now)
        if NEW_KEY in answer.want:
            self._rotate()
        self.heed(answer, now)
        return True

    def _heed(self, response: Response, batch: Batch, now: Instant) -> None:
        """Do what a refusal asks for."""
        if response.status == 409 and _problem(response).endswith("stream-conflict"):
            log.error("uplink.stream_disputed stream=%s", batch.stream)
            self.spool.hold(batch.stream, now)
        if response.status == 413 and len(batch.lines) > 1:
            self._max_events = max(1, len(batch.lines) // 2)
        folder = self.keeping.folder
        if response.status == 401 and folder is not None and has_next_key(folder):
            self._rotate()

    def _is_proven(self, response: Response, answer: Answer, request: bytes) -> bool:
        """Whether the centre itself gave this answer, at a time at which its certificate holds."""
        if self.identity.centre_key is None or response.valid_ms is None:
            return False
        station, key = self.identity.station, self.identity.centre_key
        try:
            signing.check_answer(response.proof, key, station=station, request=request, answer=response.body)
        except signing.BadSignature:
            return False
        return response.valid_ms[0] <= answer.time <= response.valid_ms[1]

    def _keep(self, answer: Answer) -> None:
        """Make lasting what the next push must show. Where the disk refuses, the old goes on: the centre allows it."""
        try:
            if answer.lease:
                self.keeping.keep_lease(answer.lease)
            if answer.trust is not None and answer.trust.version > self.keeping.trust:
                self._take_trust(answer.trust)
        except OSError as error:
            log.warning("uplink.not_kept error=%s", error)

    def _take_trust(self, trust: Trust) -> None:
        try:
            key = self.identity.centre_key or b""
            signing.check_trust(trust.signature, key, version=trust.version, authorities=trust.authorities)
        except signing.BadSignature:
            log.error("uplink.trust_forged version=%d", trust.version)  # noqa: TRY400 - the sender is at fault, not we
            return
        self.keeping.keep_trust(trust.version, trust.authorities)
        log.info("uplink.trust_changed version=%d", trust.version)

    def _rotate(self) -> None:
        if self.keeping.folder is None:
            return
        try:
            self.identity = rotate(self.identity, self.transport, self.keeping.folder)
        except (LinkError, OSError) as error:
            log.warning("uplink.key_not_rotated error=%s", error)

    def _acknowledge(self, answer: Answer, batch: Batch, now: Instant) -> None:
        self.spool.acknowledge(batch.stream, answer.stored, now, sent=batch.last, centre_ms=answer.time)
        self.offset_ms = answer.time - now.wall_ms
        self.last_error = ""
        self._failures = 0
        ceiling = MAX_EVENTS if batch.lines else self._max_events
        self._max_events = max(1, min(ceiling, answer.pace.max_events))
        self._not_before_ms = now.mono_ms + answer.pace.wait_ms
        # A tenth of jitter keeps stations that started together from marching in step.
        self._heartbeat_due_ms = now.mono_ms + round(self.heartbeat_s * 1000 * self.dice.uniform(0.95, 1.05))
        more = self.spool.depth().waiting > 0
        self._waiting_since_ms = now.mono_ms - self.flush_s * 1000 if more else None

    def _back_off(self, now: Instant, reason: str, retry_after_s: float | None) -> None:
        """Full jitter: anything between nothing and the wait, which doubles up to five minutes."""
        if reason != self.last_error:
            log.warning("uplink.failed reason=%s", reason)
        self.last_error = reason
        ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        wait_s = max(self.dice.uniform(0, ceiling), retry_after_s or 0.0, 1.0)
        self._not_before_ms = now.mono_ms + round(wait_s * 1000)


def _problem(response: Response) -> str:
    """The problem type the centre names, empty when it names none."""
    try:
        return str(json.loads(response.body)["type"])
    except (ValueError, KeyError, TypeError):
        return ""
