"""The status of a station: when it holds, and the one table of its colour, shape and word for every renderer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from collector.web.i18n import msgid

_MARGIN_MS = 60_000


class Status(StrEnum):
    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    UNSEEN = "unseen"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Look:
    """How a status is shown: never by colour alone. `colour` is for workbooks and messages, pages use the name."""

    shape: str
    word: str
    colour: str


LOOKS: Mapping[Status, Look] = {
    Status.ONLINE: Look("●", msgid("在线"), "#14713A"),
    Status.LATE: Look("▲", msgid("迟到"), "#8A5300"),
    Status.OFFLINE: Look("■", msgid("离线"), "#B3161F"),
    Status.UNSEEN: Look("○", msgid("未上线"), "#5B6773"),
    Status.PAUSED: Look("◇", msgid("停用或报备停电"), "#1D5FA8"),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the last receipt: online from `online_from_ms`, late from `late_from_ms`, offline before that."""

    online_from_ms: int
    late_from_ms: int


def limits_at(now_ms: int, *, heartbeat_s: int, grace_s: int, away: tuple[int, int] | None = None) -> Limits:
    """The bounds at this moment: on time within one period and a little, late within period and grace.

    The little is a minute, or a quarter of a grace that is itself short: late must come before offline.

    `away` is when this centre last heard anybody before it started, and when it was ready again. Until everybody has
    had period and grace to call, nobody is offline who was not overdue already when the centre went away.
    """
    overdue_ms = (heartbeat_s + grace_s) * 1000
    late_from_ms = now_ms - overdue_ms
    if away is not None and now_ms <= away[1] + overdue_ms:
        late_from_ms = min(late_from_ms, away[0] - overdue_ms)
    margin_ms = min(_MARGIN_MS, grace_s * 1000 // 4)
    return Limits(now_ms - heartbeat_s * 1000 - margin_ms, late_from_ms)


def status_of(received_ms: int | None, limits: Limits) -> Status:
    """Status of a station last heard at `received_ms`, None when it never was."""
    if received_ms is None:
        return Status.UNSEEN
    if received_ms >= limits.online_from_ms:
        return Status.ONLINE
    return Status.LATE if received_ms >= limits.late_from_ms else Status.OFFLINE
