from collector.faults.cards import AREA_SILENT
from collector.faults.rules.base import STILL, Category, Finding, Severity
from collector.faults.standing import Hold, Standing, advance

HOLD = Hold(open_ms=100, close_ms=50)


def step(old: Standing | None, finding: Finding | None, now_ms: int, hold: Hold = HOLD) -> Standing | None:
    return advance(old, finding, card=AREA_SILENT, subject="area/1", station_id=None, hold=hold, now_ms=now_ms)


def opened(**facts: int) -> Standing:
    row = step(step(None, Finding(facts), 0), Finding(facts), 100)
    assert row is not None
    assert row.open
    return row


def test_a_fault_is_held_back_until_it_has_lasted() -> None:
    row = step(None, Finding(), 0)
    assert row is not None
    assert [getattr(step(row, Finding(), now_ms), "open", None) for now_ms in (0, 99, 100)] == [False, False, True]


def test_a_fault_held_back_is_forgotten_at_once() -> None:
    assert step(step(None, Finding(), 0), None, 1) is None


def test_an_open_fault_must_be_gone_for_a_while() -> None:
    fading = step(opened(), None, 200)
    assert fading is not None
    assert (fading.clear_since_ms, fading.open) == (200, True)
    assert step(fading, None, 249) == fading
    assert step(fading, None, 250) is None


def test_a_fault_that_returns_while_it_fades_must_fade_anew() -> None:
    back = step(step(opened(), None, 200), Finding(), 240)
    assert back is not None
    assert back.clear_since_ms is None
    assert step(back, None, 260) is not None


def test_what_can_not_be_told_keeps_the_facts_already_known() -> None:
    row = step(opened(silent=5), STILL, 300)
    assert row is not None
    assert row.facts == {"silent": 5}


def test_a_finding_may_be_worse_than_its_card_says() -> None:
    row = step(None, Finding(category=Category.POWER, severity=Severity.CRITICAL, since_ms=-7), 0)
    assert row is not None
    assert (row.category, row.severity, row.since_ms, row.found_ms) == (Category.POWER, Severity.CRITICAL, -7, 0)
