"""One station gets no new courseware while most others do: its dish, its cable or its card."""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
    Category,
    Facts,
    Finding,
    Limits,
    Past,
    Peers,
    Rule,
    Sample,
    Severity,
    Translate,
    View,
    sample_view,
    when,
)

NAME = "satellite_silent"
HOUR_MS = 3_600_000


class SatelliteLimits(Limits):
    """`hours` without a file, or `gaps` times the station's usual gap, while `peers` (0..1) of the others received."""

    hours: int = Field(default=48, ge=1)
    gaps: float = Field(default=3, ge=1)
    peers: float = Field(default=0.5, gt=0, le=1)


def judge(view: View, limits: SatelliteLimits, now_ms: int) -> Finding | None:
    """A station that has never had a file counts from its first heartbeat. Only a new file closes the fault.

    Time in which it was away does not count: a PC without power receives nothing, and the dish is not to blame.
    """
    is_open = view.is_open(NAME)
    if view.courseware is None or not view.courseware.readable:
        return STILL if is_open else None
    last_ms = view.first_received_ms if view.last_file_ms is None else view.last_file_ms
    waited_ms = max(limits.hours * HOUR_MS, round(limits.gaps * (view.median_gap_ms or 0)))
    if view.past is not None and view.last_file_ms is not None and not is_open:
        waited_ms += view.past.absent_ms
    if now_ms - last_ms < waited_ms:
        return None
    share = view.peers.received_share
    if not is_open and (share is None or share < limits.peers):
        return None
    return Finding({"last_ms": view.last_file_ms}, since_ms=last_ms + waited_ms)


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    last_ms = facts["last_ms"]
    return {"last": translate("从未收到") if last_ms is None else when(last_ms, translate)}


_OLD = sample_view(last_file_ms=SAMPLE_MS - 50 * HOUR_MS, courseware={"files": 9}, peers=Peers(0.9))

RULE = Rule(
    name=NAME,
    title="收不到天网课件",
    text="别的站点都收到了新课件，本站最后一次收到是：{last}",
    hint_plain="请看室外天线前有没有树枝或积雪遮挡，接收盒电源灯是否亮，天线到电脑的线是否松动。",
    hint_backbone="查高频头、馈线接头和接收卡；用接收软件看信号强度和质量，必要时重新对星。树叶遮挡会一年比一年严重。",
    category=Category.SATELLITE,
    severity=Severity.MAJOR,
    limits=SatelliteLimits,
    fill=fill,
    judge=judge,
    open_for_s=3600,
    samples=(
        Sample(view=_OLD, now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(
            view=sample_view(
                last_file_ms=SAMPLE_MS - 90 * HOUR_MS,
                first_received_ms=SAMPLE_MS - HOUR_MS,
                courseware={"files": 9},
                peers=Peers(0.9),
            ),
            now_ms=SAMPLE_MS,
            when_closed=True,
            when_open=True,
        ),
        Sample(
            view=_OLD.but(past=Past(absent_ms=3 * HOUR_MS)),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(
            view=sample_view(last_file_ms=SAMPLE_MS - 50 * HOUR_MS, courseware={"files": 9}, peers=Peers(0.4)),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(
            view=sample_view(last_file_ms=SAMPLE_MS - HOUR_MS, courseware={"files": 9}, peers=Peers(0.9)),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=False,
        ),
        Sample(
            view=sample_view(
                last_file_ms=SAMPLE_MS - 50 * HOUR_MS,
                median_gap_ms=24 * HOUR_MS,
                courseware={"files": 9},
                peers=Peers(0.9),
            ),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=False,
        ),
    ),
)
