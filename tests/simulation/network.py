"""The way between station and centre: seeded, and as bad as a village's."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from agent.errors import LinkError
from agent.transport import Response
from tests.simulation.centre import Centre, Request
from tests.simulation.promises import require

LONGEST_DELAY_MS = 10 * 60_000
PROXY_LIMIT_BYTES = 520
ANSWERS = {
    "too_many": Response(429, b"slow down", 60.0),
    "server_error": Response(500, b"Internal Server Error"),
    "bad_gateway": Response(502, b"<html>502</html>"),
    "captive_portal": Response(200, b"<html>please log in</html>"),
}


@dataclass(slots=True)
class Network:
    """All requests that are still under way, and the centre at the other end."""

    centre: Centre
    dice: Random
    now_ms: int = 0
    held: list[tuple[int, Request]] = field(default_factory=list)

    @property
    def occurred(self) -> Counter[str]:
        return self.centre.occurred

    def arrive(self, now_ms: int) -> None:
        """Let what was held up until now reach the centre; nobody waits for these answers any more."""
        due = sorted((each for each in self.held if each[0] <= now_ms), key=lambda each: each[0])
        self.held = [each for each in self.held if each[0] > now_ms]
        for at_ms, request in due:
            self.centre.answer([request], max(at_ms, self.centre.now_ms))
        self.now_ms = now_ms


@dataclass(slots=True)
class Link:
    """One station's transport. `trouble` is what befalls its next requests, one each."""

    network: Network
    up: bool = True
    trouble: list[str] = field(default_factory=list)
    on_sent: Callable[[], None] | None = None
    """Called once the centre has the request and before the agent has the answer: a moment to die in."""
    not_before_ms: int = 0
    """When the agent may come again at the earliest: a second after a failure, or when it was told to."""
    answered: list[int] = field(default_factory=list)
    """When the agent was given an answer of the centre."""
    behind: list[tuple[int, Request]] = field(default_factory=list)
    """Requests that the next one overtakes, and when they were sent; nothing is under way for longer than it may be."""
    seen: list[Request] = field(default_factory=list)
    """Recent requests that were taken, as somebody on the way may have kept them."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        del path
        request = Request(body, headers)
        early_ms = self.not_before_ms - self.network.now_ms
        require(early_ms <= 0, "waits after a failure", f"came {early_ms} ms too early")
        self.not_before_ms = self.network.now_ms + 1000
        if not self.up:
            self.network.occurred["outage"] += 1
            raise LinkError
        answer = self._send(request, self._next_trouble(request))
        if self.on_sent is not None:
            hook, self.on_sent = self.on_sent, None
            hook()
        if answer is None:
            raise LinkError
        if answer.status != 200:
            wait_s = answer.retry_after_s or (0 if answer.status == 412 else 1)  # packed otherwise it is sent at once
            self.not_before_ms = self.network.now_ms + round(1000 * wait_s)
        elif answer is not ANSWERS["captive_portal"]:
            self.not_before_ms = 0
            self.answered.append(self.network.now_ms)
        return answer

    def _next_trouble(self, request: Request) -> str:
        """What befalls this request, empty for nothing."""
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble == "small_proxy" and len(request.body) <= PROXY_LIMIT_BYTES:
            return ""
        if trouble and trouble != "raced":
            self.network.occurred[trouble] += 1
        return trouble

    def _send(self, request: Request, trouble: str) -> Response | None:
        network, centre, now_ms = self.network, self.network.centre, self.network.now_ms
        if trouble in ANSWERS:
            return ANSWERS[trouble]
        if trouble in ("loss", "delay", "reorder"):
            if trouble == "delay":
                network.held.append((now_ms + network.dice.randrange(1000, LONGEST_DELAY_MS), request))
            elif trouble == "reorder":
                self.behind.append((now_ms, request))
            return None
        if trouble == "small_proxy":
            return Response(413, json.dumps({"type": "too-large"}).encode())
        if trouble == "cut_body":
            cut = request.body[: network.dice.randrange(len(request.body))]
            centre.answer([Request(cut, request.headers)], now_ms)
            return None
        if trouble == "flipped_body":
            changed = bytearray(request.body)
            changed[network.dice.randrange(len(changed))] ^= 1 << network.dice.randrange(8)
            return centre.answer([Request(bytes(changed), request.headers)], now_ms)[0]
        if trouble == "raced":
            centre.rival = lambda: self._rival(request, now_ms)
        answer = self._deliver([request, *self.seen, request] if trouble == "duplicate" else [request])
        return None if trouble == "half_close" else answer

    def _deliver(self, together: list[Request]) -> Response | None:
        """Let requests arrive together, and after them what they have overtaken. Returns the first one's answer."""
        centre, now_ms = self.network.centre, self.network.now_ms
        answer = centre.answer(together, now_ms)[0]
        if answer is not None and answer.status == 200:
            self.seen = [*self.seen[-3:], together[0]]
        overtaken, self.behind = self.behind, []
        for sent_ms, each in overtaken:
            if now_ms - sent_ms <= LONGEST_DELAY_MS:
                centre.answer([each], now_ms)
        return answer

    def _rival(self, request: Request, now_ms: int) -> None:
        """Another replica takes the same request while the first is in mid-transaction."""
        self.network.occurred["raced"] += 1
        rows = self.network.centre._rows
        self.network.centre.answer([request], now_ms)
        self.network.centre._rows = rows
