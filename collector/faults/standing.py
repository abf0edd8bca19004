"""A finding that stands, and how long one must last before it opens and be gone before it closes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from collector.faults.rules.base import Card, Category, Finding, Rule, Severity

Key = tuple[str, str]
"""Subject and rule: there is at most one finding of each."""


class Standing(NamedTuple):
    """One row of findings: what is seen, then the course of it. See `collector.faults.models`.

    Not `open` yet: seen, but still held back.
    """

    subject: str
    rule: str
    station_id: int | None
    since_ms: int
    found_ms: int
    category: Category
    severity: Severity
    facts: Mapping[str, Any]
    clear_since_ms: int | None
    open: bool
    symptom_of: str | None

    @property
    def key(self) -> Key:
        return (self.subject, self.rule)

    def under(self, subject: str | None) -> "Standing":
        """The same as a symptom of what stands at `subject`."""
        return Standing(*self[:-1], subject)


@dataclass(frozen=True, slots=True)
class Hold:
    """Milliseconds a fault must last before it opens, and be gone before it closes."""

    open_ms: int = 0
    close_ms: int = 0


def station_subject(station_id: int) -> str:
    return f"station/{station_id}"


def area_subject(area_id: object) -> str:
    return f"area/{area_id}"


def hold_of(rule: Rule, *, period_s: int, patience: float) -> Hold:
    """How long a rule waits; `patience` shortens its fixed waits, not those counted in heartbeat periods."""
    return Hold(
        open_ms=round((rule.open_for_s * patience + rule.open_for_periods * period_s) * 1000),
        close_ms=round((rule.close_for_s * patience + rule.close_for_periods * period_s) * 1000),
    )


def advance(
    old: Standing | None,
    finding: Finding | None,
    *,
    card: Card,
    subject: str,
    station_id: int | None,
    hold: Hold,
    now_ms: int,
) -> Standing | None:
    """What stands after a rule has spoken. None: nothing stands (any more)."""
    if finding is None:
        return _fade(old, hold, now_ms)
    found_ms = now_ms if old is None else old.found_ms
    if old is None:
        since_ms = now_ms if finding.since_ms is None else finding.since_ms
        facts, category, severity = finding.facts, card.category, card.severity
    else:
        since_ms, facts, category, severity = old.since_ms, old.facts, old.category, old.severity
    return Standing(
        subject,
        card.name,
        station_id,
        since_ms,
        found_ms,
        finding.category or category,
        finding.severity or severity,
        finding.facts or facts,
        None,
        (old is not None and old.open) or now_ms - found_ms >= hold.open_ms,
        None if old is None else old.symptom_of,
    )


def _fade(old: Standing | None, hold: Hold, now_ms: int) -> Standing | None:
    """A fault held back is forgotten at once; an open one closes when it has been gone long enough."""
    if old is None or not old.open:
        return None
    clear_since_ms = now_ms if old.clear_since_ms is None else old.clear_since_ms
    if now_ms - clear_since_ms >= hold.close_ms:
        return None
    return old._replace(clear_since_ms=clear_since_ms)
