"""Keeps one playing from being told twice where two records saw it: our script's journal and the helper's MPRIS. Pure.

The same player, or the same file at the same time, is the same playing; the journal wins, for it knows more.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from agent.probes._journal import Line

MAX_RUNS = 20
_MAX_PATHS = 20
_TICKS_MS = 70_000
_SLACK_MS = 5000


class Run(BaseModel):
    """One player's life as a record knows it: monotonic ms of its first and last line, and what it opened.

    `over`: no line will come any more, so that `until` is its end.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    boot: str = ""
    pid: int = 0
    since: int = 0
    until: int = 0
    over: bool = False
    paths: list[str] = []

    def after(self, lines: Sequence[Line]) -> "Run":
        """The run with more lines of its record."""
        if not lines:
            return self
        first = self if self.boot else Run(boot=lines[0].boot, pid=lines[0].pid, since=lines[0].mono)
        opened = [line.path for line in lines if line.ev == "open" and line.path]
        until = max(first.until, *(line.mono for line in lines))
        return first.model_copy(update={"until": until, "paths": [*first.paths, *opened][-_MAX_PATHS:]})

    def reaches(self, other: "Run") -> bool:
        """Whether both ran at the same time."""
        last = self.until + (_SLACK_MS if self.over else _TICKS_MS)
        return self.boot == other.boot and self.since <= other.until + _SLACK_MS and other.since <= last


_RUNS = TypeAdapter(list[Run])


def is_told(run: Run, told: Sequence[Run]) -> bool:
    """Whether one of these runs of journals is this one."""
    near = [each for each in told if each.reaches(run)]
    return any((each.pid and each.pid == run.pid) or set(each.paths) & set(run.paths) for each in near)


def add_run(told: Sequence[Run], run: Run, *, is_over: bool) -> list[Run]:
    """The newest runs, this one in place of what was known of it."""
    if not run.boot:
        return list(told)
    others = [each for each in told if (each.boot, each.pid, each.since) != (run.boot, run.pid, run.since)]
    return [*others, run.model_copy(update={"over": is_over})][-MAX_RUNS:]


def read_runs(memo: str | None) -> list[Run]:
    try:
        return [] if memo is None else _RUNS.validate_json(memo)
    except ValidationError:
        return []


def write_runs(told: Sequence[Run]) -> str | None:
    return _RUNS.dump_json(list(told)).decode() if told else None
