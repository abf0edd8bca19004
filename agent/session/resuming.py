"""Lets a helper that was started anew go on with the playings of the one before, so that no film is told twice.

A small file in the user's runtime folder says which film each player showed, under which name the agent knows it. It
holds for a minute: the agent ends a playing it hears nothing of after a minute and a half.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.session.players import Watched
from shared.clock import Instant

FRESH_MS = 60_000


@dataclass(frozen=True, slots=True)
class Memory:
    """`file` None, or one that cannot be written: every helper begins anew."""

    file: Path | None = None

    def keep(self, players: Iterable[Watched], now: Instant) -> None:
        if self.file is None:
            return
        shown = {str(each.pid): [each.sid, each.item, each.seen.path] for each in players if each.seen.is_open}
        beside = self.file.with_name(f"{self.file.name}.new")
        with suppress(OSError):
            beside.write_text(json.dumps({"boot": now.boot, "mono": now.mono_ms, "players": shown}), "ascii")
            beside.replace(self.file)

    def resume(self, fresh: Watched, now: Instant) -> Watched:
        """The player as the helper before knew it, `fresh` where it knew of none."""
        sid, item, path = self._read(now).get(str(fresh.pid), ("", 0, ""))
        is_its_own = re.fullmatch(rf"{now.boot[:12]}-{fresh.pid}-[0-9]{{1,16}}", sid) and item >= 1
        return Watched(sid, fresh.player, fresh.pid, item=item, resumes=path) if is_its_own else fresh

    def _read(self, now: Instant) -> Mapping[str, tuple[str, int, str]]:
        try:
            told = json.loads(self.file.read_bytes()) if self.file is not None else {}
            if told["boot"] != now.boot or not 0 <= now.mono_ms - int(told["mono"]) <= FRESH_MS:
                return {}
            return {pid: (str(sid), int(item), str(path)) for pid, (sid, item, path) in told["players"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
