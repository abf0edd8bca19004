"""What the centre directs this station to do: settings by version, and commands. Neither touches the spool's past.

Settings that do not hold are refused with the reason and those before stay in force; the heartbeat says which are.
A command is done once, whatever comes again: its answer and the memory of it are one durable step. Both come in answers
that are surely the centre's, and do not delay the next push: commands are done by a thread of their own.
"""

import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.errors import LinkError, SettingsError, SpoolError
from agent.identity import Identity
from agent.probes.base import Fact
from agent.spool import Spool
from agent.transport import Response
from agent.verbs import VERBS, RefusedError, Tools
from shared import signing
from shared.clock import Instant
from shared.wire.directions import (
    ARGUMENTS,
    MAX_COMMANDS,
    MAX_SETTINGS_BYTES,
    SETTINGS_PATH,
    Command,
    Directed,
    SettingsAnswer,
    Verb,
)
from shared.wire.kinds import CommandAnswered
from shared.wire.v1 import Answer, SettingsReport, dump_line

log = logging.getLogger("yuanjiao.directions")

MEMO = "commands"
FILE = "directed.json"

_REMEMBERED = 50
_AGAIN_MS = 60_000
_MAX_RESULT_BYTES = 16 * 1024

Get = Callable[[str, Mapping[str, str]], Response]


@dataclass(slots=True)
class DirectedSettings:
    """`apply` puts settings to work as a whole or raises SettingsError and changes nothing.

    `file` keeps what is in force over restarts. Without `get` (a transport that only pushes) nothing is fetched.
    """

    file: Path
    get: Get | None
    identity: Callable[[], Identity]
    apply: Callable[[Directed], None]
    report: SettingsReport = field(default_factory=SettingsReport)
    _not_before_ms: int = 0

    def load(self) -> None:
        """Put to work what was in force before the restart. What no longer holds is refused: the station's own are."""
        try:
            raw = self.file.read_bytes()
        except OSError:
            return
        try:
            kept = SettingsAnswer.model_validate_json(raw)
        except ValidationError:
            log.warning("settings.unreadable file=%s", self.file)
            return
        self._take(kept, keep=False)

    def heed(self, version: int, now: Instant) -> None:
        """Fetch the settings an answer has announced, once."""
        seen = {self.report.version, self.report.refused}
        if self.get is None or version in seen or now.mono_ms < self._not_before_ms:
            return
        self._not_before_ms = now.mono_ms + _AGAIN_MS
        fetched = self._fetch(self.get)
        if fetched is not None and fetched.version not in seen:
            self._take(fetched, keep=True)

    def _fetch(self, get: Get) -> SettingsAnswer | None:
        identity = self.identity()
        header = signing.authorization(
            identity.key, method="GET", path=SETTINGS_PATH, station=identity.station, body=b""
        )
        known = f'"{self.report.refused or self.report.version}"'
        try:
            response = get(SETTINGS_PATH, {"Authorization": header, "If-None-Match": known})
        except LinkError as error:
            log.warning("settings.not_fetched error=%s", error)
            return None
        # A connection that met no clock may be anybody's; settings can wait until the clock is right.
        if response.status != 200 or response.valid_ms is not None or len(response.body) > 2 * MAX_SETTINGS_BYTES:
            return None
        try:
            return SettingsAnswer.model_validate_json(response.body)
        except ValidationError:
            return None

    def _take(self, answer: SettingsAnswer, *, keep: bool) -> None:
        try:
            self.apply(Directed.model_validate(answer.settings))
            if keep:
                _write(self.file, answer)
        except (SettingsError, ValidationError, OSError) as error:
            reason = " ".join(str(error).split())[:300]
            log.warning("settings.refused version=%d reason=%s", answer.version, reason)
            self.report = self.report.model_copy(update={"refused": answer.version, "reason": reason})
            return
        log.info("settings.in_force version=%d", answer.version)
        self.report = SettingsReport(version=answer.version)


def _write(file: Path, answer: SettingsAnswer) -> None:
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(answer.model_dump_json(), "utf-8")
    fresh.replace(file)


@dataclass(slots=True)
class Commands:
    """Does what is ordered, one after the other. `threaded` False does it at once, for tests and virtual stations."""

    spool: Spool
    tools: Tools
    threaded: bool = True
    _orders: "queue.Queue[tuple[Command, Instant]]" = field(default_factory=lambda: queue.Queue(MAX_COMMANDS))
    _waiting: set[str] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def heed(self, ordered: list[dict[str, Any]], now: Instant) -> None:
        """Take in what an answer names. What was done before, or waits already, is passed over."""
        if not ordered:
            return
        done = self.spool.recall(MEMO)
        for each in ordered[:MAX_COMMANDS]:
            try:
                command = Command.model_validate(each)
            except ValidationError:
                log.warning("command.unreadable")
                continue
            if command.id in done or command.id in self._waiting or self._orders.full():
                continue
            self._waiting.add(command.id)
            self._orders.put_nowait((command, now))
        if not self.threaded:
            self._work_off()
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work_off, name="commands", daemon=True)
            self._thread.start()

    def _work_off(self) -> None:
        while not self._orders.empty():
            command, now = self._orders.get_nowait()
            try:
                self._answer(carry_out(command, self.tools), now)
            except SpoolError:
                # It will be ordered again, and done again: no verb minds.
                log.warning("command.not_recorded id=%s", command.id)
            finally:
                self._waiting.discard(command.id)

    def _answer(self, answer: CommandAnswered, now: Instant) -> None:
        remembered = sorted(self.spool.recall(MEMO).items(), key=lambda item: int(item[1]))
        memo: dict[str, str | None] = {
            name: None for name, _ in remembered[: max(0, len(remembered) - _REMEMBERED + 1)]
        }
        last = int(remembered[-1][1]) if remembered else 0
        memo[answer.command] = str(last + 1)
        self.spool.append([Fact("command.answered", answer.model_dump())], now, probe=MEMO, memo=memo)
        log.info("command.answered id=%s verb=%s outcome=%s", answer.command, answer.verb, answer.outcome)


def carry_out(command: Command, tools: Tools) -> CommandAnswered:
    """Do it; whatever happens is an answer."""
    told = {"command": command.id, "verb": command.verb}
    try:
        verb = Verb(command.verb)
        ARGUMENTS[verb].model_validate(command.arguments)
    except ValidationError:
        return CommandAnswered(**told, outcome="refused", reason="the arguments do not fit the verb")
    except ValueError:
        return CommandAnswered(**told, outcome="refused", reason="this station's program does not know the verb")
    try:
        result = json.loads(dump_line(VERBS[verb](tools, command.arguments)))
    except RefusedError as error:
        return CommandAnswered(**told, outcome="refused", reason=str(error)[:300])
    except Exception as error:  # noqa: BLE001 - a verb that fails is an answer too
        return CommandAnswered(**told, outcome="failed", reason=f"{type(error).__name__}: {error}"[:300])
    if len(json.dumps(result)) > _MAX_RESULT_BYTES:
        result = {"cut": "the result was too long"}
    return CommandAnswered(**told, outcome="done", result=result)


def heed(settings: DirectedSettings, commands: Commands) -> Callable[[Answer, Instant], None]:
    """What is done with each answer of the centre."""

    def act(answer: Answer, now: Instant) -> None:
        settings.heed(answer.settings_version, now)
        commands.heed(answer.commands, now)

    return act
