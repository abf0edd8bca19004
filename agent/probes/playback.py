"""Tells what was played: by journals of our mpv script, by MPRIS through the desktop session's helper, or by logs.

It never asks a player anything, and believes no player more than the monotonic clock and the other sensors allow.
A journal is deleted once all of it is durable in the spool, never before.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.probes import _journal, _logtail, _processes, _twice
from agent.probes._journal import Line
from agent.probes._opened import Opened
from agent.probes._patience import Patience
from agent.probes._telling import Origin, Teller, Thread
from agent.probes._twice import Run
from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import PlaybackState

__all__ = ["PROBE", "PlaybackSensor", "PlaybackSettings"]

_QUIET_MS = 90_000
_FACTS_A_LOOK = 500
_RECENT = "recent"
_HOLD_MS = 10_000


class PlaybackSettings(ProbeSettings):
    """`session_dir` is the inbox of the helper in the desktop session.

    `films` is the folder in which it is noticed who holds a film open.
    `mpv_log` and `vlc_log` are for players that nothing else sees; they carry no more than level E1.
    """

    journal_dir: Path | None = Path("/var/lib/yuanjiao/journal")
    session_dir: Path | None = None
    films: Path | None = None
    mpv_log: Path | None = None
    vlc_log: Path | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of journals. `key` begins their memos; lines younger than `hold_ms` wait for what may tell them better.

    A `steady` record never falls silent while it is kept: silence alone ends it, whatever the player does.
    """

    key: str
    via: str
    folder: Path
    hold_ms: int = 0
    steady: bool = False


class Taken(BaseModel):
    """The memo of a journal. `run` is the player's; `finished`: all told, the file may go; `twice`: told elsewhere."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    offset: int = 0
    run: Run = Run()
    finished: bool = False
    twice: bool = False
    thread: Thread = Thread()


@dataclass(slots=True)
class PlaybackSensor:
    """Keeps in memory only since when each journal has been quiet: size and monotonic ms."""

    settings: PlaybackSettings
    surroundings: Surroundings
    is_alive: Callable[[int, int], bool] = _processes.is_alive
    is_running: Callable[[str], bool] = _processes.is_running
    quiet: dict[str, tuple[int, int]] = field(default_factory=dict)
    opened: Opened | None = None
    patience: Patience = field(default_factory=Patience)

    def read(self, now: Instant) -> Reading:
        teller = Teller(now, self.surroundings, self._opened(now), self.patience)
        remembered = self.surroundings.recall()
        memo = dict(self._take_logs(remembered, teller))
        sources = {"log"} if memo else set()
        finished: list[Path] = []
        told = _twice.read_runs(remembered.get(_RECENT))
        for shelf in self._shelves():
            names = _journal.list_journals(shelf.folder)
            if names is None:
                continue
            sources.add(shelf.via)
            memo |= self._take_vanished(shelf, names, remembered, teller)
            for path, taken in self._take_shelf(shelf, names, remembered, teller, told):
                memo[shelf.key + path.name] = taken.model_dump_json()
                finished += [path] if taken.finished else []
                if not shelf.hold_ms:
                    told = _twice.add_run(told, taken.run, is_over=taken.finished)
        if self.settings.session_dir is not None:
            memo[_RECENT] = _twice.write_runs(told)
        return Reading(
            state=PlaybackState(playing=teller.titles, source=_best(sources)).model_dump(),
            facts=teller.facts,
            memo={key: value for key, value in memo.items() if value != remembered.get(key)},
            done=partial(_delete, finished) if finished else None,
        )

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()

    def _opened(self, now: Instant) -> Opened | None:
        if self.opened is None and self.settings.films is not None:
            root = self.patience.ask(partial(os.path.realpath, os.fsencode(self.settings.films)))
            self.opened = None if root is None else Opened(root, self.patience)
        if self.opened is not None:
            self.opened.look(now)
        return self.opened

    def _shelves(self) -> list[Shelf]:
        """Our script knows more than MPRIS shows, so it comes first."""
        journal, session = self.settings.journal_dir, self.settings.session_dir
        shelves = [] if journal is None else [Shelf("journal:", "journal", journal)]
        return shelves if session is None else [*shelves, Shelf("session:", "mpris", session, _HOLD_MS, steady=True)]

    def _take_logs(self, remembered: Mapping[str, str], teller: Teller) -> Iterator[tuple[str, str | None]]:
        for player, log in (("mpv", self.settings.mpv_log), ("vlc", self.settings.vlc_log)):
            if log is None:
                continue
            key, told = f"log:{player}", len(teller.facts)
            try:
                running = self.is_running(player)
                memo = _logtail.follow(log, player, remembered.get(key), teller, is_running=running)
            except OSError:
                # No log yet, or one that went while it was read: what was told of it is told at the next look.
                del teller.facts[told:]
            else:
                yield key, memo

    def _take_shelf(
        self, shelf: Shelf, names: Sequence[str], remembered: Mapping[str, str], teller: Teller, told: Sequence[Run]
    ) -> Iterator[tuple[Path, Taken]]:
        for name in names:
            if len(teller.facts) >= _FACTS_A_LOOK:
                return
            # Another user's file with closed rights is passed by until its rights are put right.
            with suppress(OSError):
                path = shelf.folder / name
                yield path, self._take_in(shelf, path, _read_memo(remembered.get(shelf.key + name)), teller, told)

    def _take_in(self, shelf: Shelf, path: Path, before: Taken, teller: Teller, told: Sequence[Run]) -> Taken:
        if before.finished:
            return before
        raw, offset, size = _journal.read_piece(path, before.offset)
        lines, offset = _ripe(raw, before.offset, offset, teller.now, shelf.hold_ms)
        run = before.run.after(lines)
        twice = before.twice or (bool(shelf.hold_ms) and _twice.is_told(run, told))
        sid = _journal.sid_of(path.name) or path.name
        origin = Origin(sid, sid.partition("-")[0] if shelf.steady else "mpv", shelf.via)
        # Told twice counts from the first doubt on: what was begun of it is ended where it stands.
        thread = teller.abandon(before.thread) if twice else teller.take(before.thread, lines, origin)
        taken = Taken(offset=offset, run=run, twice=twice, thread=thread)
        quiet_ms = self._quiet_ms(path, size, teller.now)
        silent = offset == before.offset and self._is_gone(shelf, run, quiet_ms, teller.now)
        if silent or any(line.ev == "exit" for line in lines):
            self.quiet.pop(str(path), None)
            return taken.model_copy(update={"finished": True, "thread": teller.abandon(thread)})
        teller.note_running(thread)
        return taken

    def _quiet_ms(self, path: Path, size: int, now: Instant) -> int:
        """How long the journal has not grown, as far as this agent has seen."""
        known, since_ms = self.quiet.get(str(path), (-1, 0))
        if known != size:
            self.quiet[str(path)] = (size, now.mono_ms)
            return 0
        return now.mono_ms - since_ms

    def _is_gone(self, shelf: Shelf, run: Run, quiet_ms: int, now: Instant) -> bool:
        """Whether the player ended without a word: the PC was started anew, or its process is away and writes no more.

        A process that cannot be seen may live in a sandbox of its own: only silence beyond its ticks ends it.
        """
        if run.boot and run.boot != now.boot:
            return True
        return quiet_ms >= _QUIET_MS and (shelf.steady or not (run.pid and self.is_alive(run.pid, run.since)))

    def _take_vanished(
        self, shelf: Shelf, names: Sequence[str], remembered: Mapping[str, str], teller: Teller
    ) -> Mapping[str, str | None]:
        """Journals remembered but no longer there: deleted as they should be, or by somebody."""
        here = {shelf.key + name for name in names}
        gone = {key for key in remembered if key.startswith(shelf.key)} - here
        for key in sorted(gone):
            teller.abandon(_read_memo(remembered[key]).thread)
            self.quiet.pop(str(shelf.folder / key.removeprefix(shelf.key)), None)
        return dict.fromkeys(gone)


def _best(sources: set[str]) -> str:
    return next((each for each in ("journal", "mpris", "log") if each in sources), "none")


def _ripe(raw: Sequence[bytes], begin: int, end: int, now: Instant, hold_ms: int) -> tuple[list[Line], int]:
    """The lines old enough to be told, and the offset after them."""
    lines: list[Line] = []
    for piece in raw:
        line = _journal.parse(piece)
        if hold_ms and line is not None and line.boot == now.boot and line.mono > now.mono_ms - hold_ms:
            return lines, begin
        begin += len(piece) + 1
        lines += [] if line is None else [line]
    return lines, end


def _read_memo(memo: str | None) -> Taken:
    """A memo that no longer reads is begun anew: told twice is mended at the centre, not told is lost."""
    try:
        return Taken() if memo is None else Taken.model_validate_json(memo)
    except ValidationError:
        return Taken()


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        # One that is gone is fine; one that cannot be deleted stays marked as finished in the memo and is tried again.
        with suppress(OSError):
            path.unlink()


PROBE = Probe(
    settings=PlaybackSettings,
    every_s=15,
    limit_s=60,
    make=PlaybackSensor,
    sample={"playing": ["乡村振兴政策解读 第3讲"], "source": "journal"},
)
