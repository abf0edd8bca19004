"""One round of judging a district, from views to what stands now. Pure; a rule that raises never stops the round."""

import logging
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from collector.faults.areas import SHAKING, SILENT, Place, judge_areas
from collector.faults.cards import RULE_FAILED, UPLINK_SILENT
from collector.faults.rules.base import Finding, Limits, Rule, View
from collector.faults.standing import Hold, Key, Standing, advance, hold_of, station_subject
from collector.faults.views import count_received, with_peers

log = logging.getLogger("yuanjiao.faults")

NEVER = "never_seen"
_UNHEARD = (NEVER,)
_WITHOUT_NEWS = (SILENT, SHAKING, NEVER)
_NOTHING: Mapping[str, Standing] = {}
UPLINK_HOLD = Hold(open_ms=3_600_000)
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


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule with its limits and waits, worked out once a round."""

    rule: Rule
    limits: Limits
    hold: Hold


@dataclass(frozen=True, slots=True)
class _Agenda:
    """The rules that are judged at a station, and those of which what stood before goes on."""

    judged: Sequence[_Ready]
    kept: frozenset[str]


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
    ready = [_make_ready(rule, scene, sheet) for rule in rules.values()]
    alive, silent, unheard = (_list_agenda(ready, names) for names in (rules, _WITHOUT_NEWS, _UNHEARD))
    uplink = _judge_uplink(scene)
    old = group_by_station(scene.old)
    for view in with_peers(scene.views, now_ms=scene.now_ms, is_uplink_silent=uplink is not None and uplink.open):
        is_silent = view.is_overdue(scene.now_ms)
        agenda = unheard if not view.is_heard else silent if is_silent else alive
        _judge_station(view, agenda, old.get(view.station_id, _NOTHING), scene.now_ms, sheet)
    weighed = [scene.places[view.station_id] for view in scene.views if _is_weighed(view, sheet)]
    awake = {place.township for place in weighed}
    stands = judge_areas(
        weighed,
        scene.old,
        sheet.stands,
        resting={place.township for place in scene.places.values()} - awake,
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


def group_by_station(stands: Mapping[Key, Standing]) -> dict[int, dict[str, Standing]]:
    """What stands of single stations, by number and then by rule."""
    found: dict[int, dict[str, Standing]] = {}
    for row in stands.values():
        if row.station_id is not None:
            found.setdefault(row.station_id, {})[row.rule] = row
    return found


def _is_weighed(view: View, sheet: _Sheet) -> bool:
    """Whether a station counts in its township: expected to speak, or told of as silent since it last was."""
    if not view.is_heard:
        return False
    silent = None if view.expected_on else sheet.stands.get((station_subject(view.station_id), SILENT))
    return view.expected_on or (silent is not None and silent.open)


def _list_agenda(ready: Sequence[_Ready], names: Container[str]) -> _Agenda:
    judged = [each for each in ready if each.rule.name in names]
    return _Agenda(judged, frozenset(each.rule.name for each in ready if each.rule.name not in names))


def _judge_station(view: View, agenda: _Agenda, old: Mapping[str, Standing], now_ms: int, sheet: _Sheet) -> None:
    """What stands of every rule at one station. Of one long silent only its silence and its link are judged."""
    for name, row in old.items():
        if name in agenda.kept:
            sheet.put(row)
    for ready in agenda.judged:
        rule, before = ready.rule, old.get(ready.rule.name)
        try:
            finding = rule.judge(view, ready.limits, now_ms)
        except Exception as problem:  # a broken rule must not silence the others
            if rule.name not in sheet.failed:
                log.exception("rule.failed rule=%s station=%s", rule.name, view.station_id)
            sheet.failed[rule.name] = f"{type(problem).__name__}: {problem}"[:300]
            sheet.put(before)
            continue
        if before is None and finding is None:
            continue
        station_id, subject = view.station_id, station_subject(view.station_id)
        sheet.put(
            advance(before, finding, card=rule, subject=subject, station_id=station_id, hold=ready.hold, now_ms=now_ms)
        )


def _make_ready(rule: Rule, scene: Scene, sheet: _Sheet) -> _Ready:
    return _Ready(rule, _limits(rule, scene, sheet), hold_of(rule, period_s=scene.period_s, patience=scene.patience))


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
        hold=UPLINK_HOLD,
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
