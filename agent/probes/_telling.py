"""Turns the lines of a player into the facts of its playings, each told once."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from pydantic import BaseModel, ConfigDict

from agent.probes import _playing
from agent.probes._evidence import Outside, outside_of
from agent.probes._journal import Line, decode_path
from agent.probes._opened import Opened
from agent.probes._patience import Patience
from agent.probes._playing import Playing
from agent.probes.base import Fact, Surroundings
from shared.clock import Instant

FRESH_MS = 120_000
"""Other sensors' newest states count for a line up to this age."""


UNCORROBORATED = "uncorroborated"
"""The flag of a playing whose file nobody held open while it was said to run."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where lines come from: `sid` names the run of the player for ever."""

    sid: str
    player: str
    via: str
    exact: bool = True


class Thread(BaseModel):
    """How far a player's record has been told: the open playing, and the highest item that is closed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    playing: Playing | None = None
    closed: int = 0


@dataclass(slots=True)
class Teller:
    """One look: collects facts and the titles of what runs."""

    now: Instant
    surroundings: Surroundings
    opened: Opened | None = None
    patience: Patience = field(default_factory=Patience)
    """For the films: they may lie on a share that answers no more."""
    facts: list[Fact] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)

    def take(self, thread: Thread, lines: Iterable[Line], origin: Origin) -> Thread:
        """The thread after these lines."""
        for line in lines:
            thread = self._take_one(thread, line, origin)
        return thread

    def note_running(self, thread: Thread) -> None:
        if thread.playing is not None and thread.playing.told:
            self.titles.append(thread.playing.title)

    def abandon(self, thread: Thread) -> Thread:
        """End what still runs at the last moment it was seen to: its player is gone without a word."""
        if thread.playing is None:
            return thread
        closed, reason = _playing.finish(self._corroborate(thread.playing), "abandoned", Outside())
        if closed.told:
            self._tell("playback.ended", _playing.ended(closed, reason), closed.last)
        return Thread(closed=_item_of(closed))

    def _take_one(self, thread: Thread, line: Line, origin: Origin) -> Thread:
        if line.ev == "exit":
            return self.abandon(thread)
        if line.n <= thread.closed:
            # Told already, or made up: one item is one playing, whatever the record says afterwards.
            return thread
        playback = f"{origin.sid}.{line.n}"
        if line.ev in {"open", "start"} and (thread.playing is None or thread.playing.playback != playback):
            before = self.abandon(thread)
            begun = _playing.begin(line, playback=playback, player=origin.player, via=origin.via, exact=origin.exact)
            thread = before.model_copy(update={"playing": begun})
        playing = thread.playing
        again = line.ev in {"open", "start"} and playing is not None and playing.told
        if playing is None or playing.begin.boot != line.boot or again:
            return thread
        if line.ev == "end":
            return self._end(playing, line)
        return thread.model_copy(update={"playing": self._go_on(playing, line)})

    def _go_on(self, playing: Playing, line: Line) -> Playing:
        after = self._identify(_playing.follow(playing, line, self._outside(line)))
        if not after.told and line.ev in {"start", "restart"}:
            self._tell("playback.started", _playing.started(after), after.begin)
            return after.model_copy(update={"told": True})
        if after.told and after.is_due:
            self._tell("playback.progress", _playing.progress(after), line.at)
            return after.model_copy(update={"checkpoint_s": after.played_s})
        return after

    def _end(self, playing: Playing, line: Line) -> Thread:
        outside = self._outside(line)
        after = self._identify(_playing.follow(playing, line, outside))
        closed, reason = _playing.finish(self._corroborate(after), line.reason, outside)
        if not after.told and line.reason in {"error", "eof"}:
            # Nothing was ever shown of it: the file is broken or not there.
            self._tell("playback.started", _playing.started(closed), closed.begin)
            closed, reason = closed.model_copy(update={"told": True}), "error"
        if closed.told:
            self._tell("playback.ended", _playing.ended(closed, reason), line.at)
        return Thread(closed=_item_of(closed))

    def _identify(self, playing: Playing) -> Playing:
        """Find the file's hash; a file too new to be hashed is asked for again at each line."""
        path = decode_path(playing.path)
        if playing.sha256 is not None or not path.startswith(b"/"):
            return playing
        name = os.fsdecode(path)
        sha256 = self.surroundings.identify(name)
        real = None if sha256 is not None else self.patience.ask(partial(os.path.realpath, name))
        if real is not None:
            sha256 = self.surroundings.identify(real)
        return playing if sha256 is None else playing.model_copy(update={"sha256": sha256})

    def _corroborate(self, playing: Playing) -> Playing:
        """Flag what a record tells of a file nobody held open. Where that cannot be known, nothing is said."""
        path = decode_path(playing.path)
        if self.opened is None or not path.startswith(b"/"):
            return playing
        real = self.patience.ask(partial(os.path.realpath, path))
        if real is None:
            return playing
        held = self.opened.was_held(real, playing.begin.mono_ms, playing.last.mono_ms)
        return playing if held is not False else _playing.flag(playing, UNCORROBORATED)

    def _outside(self, line: Line) -> Outside:
        if line.boot != self.now.boot or self.now.mono_ms - line.mono > FRESH_MS:
            return Outside()
        return outside_of(self.surroundings.latest("projector"), self.surroundings.latest("audio"))

    def _tell(self, kind: str, data: dict[str, object], at: Instant) -> None:
        self.facts.append(Fact(kind, data, at))


def _item_of(playing: Playing) -> int:
    return int(playing.playback.rpartition(".")[2])
