"""One round of judging a district, from views to what stands now. Pure; a rule that raises never stops the round."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from collector.faults.areas import SILENT, Place, judge_areas
from collector.faults.cards import RULE_FAILED, UPLINK_SILENT
from collector.faults.rules.base import Finding, Limits, Rule, View
from collector.faults.standing import Hold, Key, Standing, advance, hold_of, station_subject
from collector.faults.views import count_received, with_peers

log = logging.getLogger("yuanjiao.faults")

NEVER = "never_seen"
_UPLINK_HOLD = Hold(open_ms=3_600_000)
_FAILED_HOLD = Hold(close_ms=600_000)
_UPLINK_AT_LEAST = 3
_UPLINK_OPEN, _UPLINK_CLOSE = 0.5, 0.6


@dataclass(frozen=True, slots=True)
class Scene:
    """A district at one moment. `places` by station number, `old` what stood before, `district` its area's subject.

    `limits` are the district's own thresholds: rule → field → value.
    """

    views: Sequence[View]
    places: Mapping[int, Place]
    old: Mapping[Key, Standing]
    district: str | None
    limits: Mapping[str, Mapping[str, object]]
    period_s: int
    grace_s: int
    now_ms: int
    patience: float = 1.0


@dataclass(slots=True)
class _Sheet:
    """What the round has found so far, and the rules that failed in it."""

    stands: dict[Key, Standing] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def put(self, row: Standing | None) -> None:
        if row is not None:
            self.stands[row.key] = row


def judge_district(scene: Scene, rules: Mapping[str, Rule]) -> dict[Key, Standing]:
    """Everything that stands now, by key."""
    sheet = _Sheet()
    limits = {name: _limits(rule, scene, sheet) for name, rule in rules.items()}
    uplink = _judge_uplink(scene)
    views = with_peers(scene.views, now_ms=scene.now_ms, is_uplink_silent=uplink is not None and uplink.open)
    for view in views:
        for rule in rules.values():
            sheet.put(_judge_station(view, rule, limits[rule.name], scene, sheet))
    stands = judge_areas(
        [scene.places[view.station_id] for view in views if view.expected_on and view.is_heard],
        scene.old,
        sheet.stands,
        district=scene.district,
        period_s=scene.period_s,
        grace_s=scene.grace_s,
        now_ms=scene.now_ms,
    )
    last = _Sheet(stands)
    last.put(uplink)
    for name, rule in rules.items():
        last.put(_report_failure(rule, sheet.failed.get(name), scene))
    return last.stands


def _judge_station(view: View, rule: Rule, limits: Limits, scene: Scene, sheet: _Sheet) -> Standing | None:
    """What stands of one rule at one station. Of a station not heard for long nothing but its silence is judged."""
    subject = station_subject(view.station_id)
    before = scene.old.get((subject, rule.name))
    if not view.is_heard and rule.name != NEVER:
        return before
    overdue_ms = view.received_ms + (view.period_s + view.grace_s) * 1000
    if rule.name not in {SILENT, NEVER} and scene.now_ms >= overdue_ms:
        return before
    try:
        finding = rule.judge(view, limits, scene.now_ms)
    except Exception as problem:  # a broken rule must not silence the others
        if rule.name not in sheet.failed:
            log.exception("rule.failed rule=%s station=%s", rule.name, view.station_id)
        sheet.failed[rule.name] = f"{type(problem).__name__}: {problem}"[:300]
        return before
    if before is None and finding is None:
        return None
    return advance(
        before,
        finding,
        card=rule,
        subject=subject,
        station_id=view.station_id,
        hold=hold_of(rule, period_s=scene.period_s, patience=scene.patience),
        now_ms=scene.now_ms,
    )


def _limits(rule: Rule, scene: Scene, sheet: _Sheet) -> Limits:
    """The district's thresholds of a rule; the defaults, and a finding that says so, when they cannot be read."""
    try:
        return rule.limits.model_validate(scene.limits.get(rule.name, {}))
    except ValidationError as problem:
        sheet.failed[rule.name] = str(problem)[:300]
        return rule.limits()


def _judge_uplink(scene: Scene) -> Standing | None:
    """Nothing new at most stations: the satellite's uplink, not the dishes."""
    if scene.district is None:
        return None
    before = scene.old.get((scene.district, UPLINK_SILENT.name))
    received, total = count_received(scene.views, now_ms=scene.now_ms)
    share = _UPLINK_CLOSE if before is not None and before.open else _UPLINK_OPEN
    finding = None
    if total >= _UPLINK_AT_LEAST and received < share * total:
        finding = Finding({"received": received, "expected": total, "hours": 48})
    return advance(
        before,
        finding,
        card=UPLINK_SILENT,
        subject=scene.district,
        station_id=None,
        hold=_UPLINK_HOLD,
        now_ms=scene.now_ms,
    )


def _report_failure(rule: Rule, error: str | None, scene: Scene) -> Standing | None:
    subject = f"rule/{rule.name}"
    return advance(
        scene.old.get((subject, RULE_FAILED.name)),
        None if error is None else Finding({"title": rule.title, "error": error}),
        card=RULE_FAILED,
        subject=subject,
        station_id=None,
        hold=_FAILED_HOLD,
        now_ms=scene.now_ms,
    )
