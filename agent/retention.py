"""How long lines stay after the centre has them: counted by the centre's clock, never by this machine's.

Once a day it is noted how far the centre has every stream. What an old enough note covers may go. A PC whose battery
is dead believes in the year 2000 at every boot; by its own clock it would forget at once, or never (decision 0022).
"""

import json
import sqlite3
from collections.abc import Mapping

from agent.spool_rows import list_streams, seal

_PROBE, _KEY = "spool", "stored"
_DAY_MS = 86_400_000
_READ = "SELECT value FROM memo WHERE probe = ? AND key = ?"
_WRITE = "INSERT OR REPLACE INTO memo (probe, key, value, seal) VALUES (?, ?, ?, ?)"


def note_stored(db: sqlite3.Connection, centre_ms: int, *, days: int) -> None:
    """Note how far the centre has every stream, unless that was noted within a day. Belongs into a transaction."""
    notes = _read(db)
    if notes and notes[-1][0] <= centre_ms < notes[-1][0] + _DAY_MS:
        return
    past = [each for each in notes if each[0] <= centre_ms][-days - 2 :]
    cursors = {str(each.no): each.stored for each in list_streams(db)}
    value = json.dumps([*past, [centre_ms, cursors]], separators=(",", ":"))
    db.execute(_WRITE, (_PROBE, _KEY, value, seal(_PROBE, _KEY, value)))


def list_stored_at(db: sqlite3.Connection, moment_ms: int) -> Mapping[int, int]:
    """How far the centre had each stream, by its number, at the last note up to a moment of the centre's clock."""
    cursors = next((each[1] for each in reversed(_read(db)) if each[0] <= moment_ms), {})
    return {int(no): stored for no, stored in cursors.items()}


def _read(db: sqlite3.Connection) -> list[tuple[int, dict[str, int]]]:
    row = db.execute(_READ, (_PROBE, _KEY)).fetchone()
    return [] if row is None else json.loads(row[0])
