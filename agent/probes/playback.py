"""Tells what was played, from the journals of our mpv script or, without them, from the logs of stock players.

It never asks a player anything, and believes no player more than the monotonic clock and the other sensors allow.
A journal is deleted once all of it is durable in the spool, never before.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.probes import _journal, _logtail, _processes
from agent.probes._journal import Line
from agent.probes._telling import Origin, Teller, Thread
from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import PlaybackState

__all__ = ["PROBE", "PlaybackSensor", "PlaybackSettings"]

_QUIET_MS = 90_000
_FACTS_A_LOOK = 500
_JOURNAL = "journal:"


class PlaybackSettings(ProbeSettings):
    """`mpv_log` and `vlc_log` are for players without our script; they carry no more than level E1."""

    journal_dir: Path | None = Path("/var/lib/yuanjiao/journal")
    mpv_log: Path | None = None
    vlc_log: Path | None = None


class Taken(BaseModel):
    """The memo of a journal. `since` monotonic ms of its first line; `finished`: all told, the file may go."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    offset: int = 0
    boot: str = ""
    pid: int = 0
    since: int = 0
    finished: bool = False
    thread: Thread = Thread()


@dataclass(slots=True)
class PlaybackSensor:
    """Keeps in memory only since when each journal has been quiet: size and monotonic ms."""

    settings: PlaybackSettings
    surroundings: Surroundings
    is_alive: Callable[[int, int], bool] = _processes.is_alive
    is_running: Callable[[str], bool] = _processes.is_running
    quiet: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read(self, now: Instant) -> Reading:
        teller = Teller(now, self.surroundings)
        remembered = self.surroundings.recall()
        memo = dict(self._take_logs(remembered, teller))
        source = "log" if memo else "none"
        finished: list[Path] = []
        folder = self.settings.journal_dir
        names = _journal.list_journals(folder) if folder is not None else None
        if folder is not None and names is not None:
            source = "journal"
            memo |= self._take_vanished(names, remembered, teller)
            for path, taken in self._take_journals(folder, names, remembered, teller):
                memo[_key(path.name)] = taken.model_dump_json()
                finished += [path] if taken.finished else []
        return Reading(
            state=PlaybackState(playing=teller.titles, source=source).model_dump(),
            facts=teller.facts,
            memo={key: value for key, value in memo.items() if value != remembered.get(key)},
            done=partial(_delete, finished) if finished else None,
        )

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

    def _take_journals(
        self, folder: Path, names: Sequence[str], remembered: Mapping[str, str], teller: Teller
    ) -> Iterator[tuple[Path, Taken]]:
        for name in names:
            if len(teller.facts) >= _FACTS_A_LOOK:
                return
            # Another user's file with closed rights is passed by until its rights are put right.
            with suppress(OSError):
                yield folder / name, self._take_in(folder / name, _read_memo(remembered.get(_key(name))), teller)

    def _take_in(self, path: Path, before: Taken, teller: Teller) -> Taken:
        if before.finished:
            return before
        raw, offset, size = _journal.read_piece(path, before.offset)
        lines = [line for line in map(_journal.parse, raw) if line is not None]
        origin = Origin(_journal.sid_of(path.name) or path.name, "mpv", "journal")
        taken = _after(before, lines, offset, teller.take(before.thread, lines, origin))
        quiet_ms = self._quiet_ms(path.name, size, teller.now)
        said_so = any(line.ev == "exit" for line in lines)
        silent = offset == before.offset and self._is_gone(taken, quiet_ms, teller.now)
        if said_so or silent:
            self.quiet.pop(path.name, None)
            return taken.model_copy(update={"finished": True, "thread": teller.abandon(taken.thread)})
        teller.note_running(taken.thread)
        return taken

    def _quiet_ms(self, name: str, size: int, now: Instant) -> int:
        """How long the journal has not grown, as far as this agent has seen."""
        known, since_ms = self.quiet.get(name, (-1, 0))
        if known != size:
            self.quiet[name] = (size, now.mono_ms)
            return 0
        return now.mono_ms - since_ms

    def _is_gone(self, taken: Taken, quiet_ms: int, now: Instant) -> bool:
        """Whether the player ended without a word: the PC was started anew, or its process is away and writes no more.

        A process that cannot be seen may live in a sandbox of its own: only silence beyond its ticks ends it.
        """
        if taken.boot and taken.boot != now.boot:
            return True
        return quiet_ms >= _QUIET_MS and not (taken.pid and self.is_alive(taken.pid, taken.since))

    def _take_vanished(
        self, names: Sequence[str], remembered: Mapping[str, str], teller: Teller
    ) -> Mapping[str, str | None]:
        """Journals remembered but no longer there: deleted as they should be, or by somebody."""
        gone = {key for key in remembered if key.startswith(_JOURNAL)} - {_key(name) for name in names}
        for key in sorted(gone):
            teller.abandon(_read_memo(remembered[key]).thread)
            self.quiet.pop(key.removeprefix(_JOURNAL), None)
        return dict.fromkeys(gone)


def _key(name: str) -> str:
    return _JOURNAL + name


def _after(taken: Taken, lines: Sequence[Line], offset: int, thread: Thread) -> Taken:
    first = {"boot": lines[0].boot, "pid": lines[0].pid, "since": lines[0].mono} if lines and not taken.boot else {}
    return taken.model_copy(update={"offset": offset, "thread": thread, **first})


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
