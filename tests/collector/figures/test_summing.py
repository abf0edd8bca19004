from collector.figures.queries import Case
from collector.figures.summing import add_up, add_up_by

HOUR = 3_600_000


def case(**changes: object) -> Case:
    usual: dict[str, object] = {
        "ticket_id": 1,
        "rule": "projector_error",
        "category": "hardware_common",
        "area_id": None,
        "station_id": 7,
        "assignee_id": 3,
        "decided": True,
        "local": True,
        "opened_ms": 10 * HOUR,
        "answered_ms": 11 * HOUR,
        "gone_ms": 14 * HOUR,
        "repeated": False,
    }
    return Case(**{**usual, **changes})  # type: ignore[arg-type]


def test_what_the_centre_was_asked_for_is_not_mended_inside_the_township() -> None:
    sums = add_up([case(), case(), case(local=False), case(local=False)])
    assert (sums.faults, sums.decided, sums.local, sums.local_share) == (4, 4, 2, 0.5)


def test_what_is_still_in_work_below_the_centre_is_not_decided() -> None:
    sums = add_up([case(decided=False, local=False, gone_ms=None)])
    assert (sums.decided, sums.local_share, sums.repair_ms) == (0, None, None)


def test_times_are_medians_and_never_negative() -> None:
    cases = [case(), case(answered_ms=13 * HOUR, gone_ms=9 * HOUR), case(answered_ms=None, gone_ms=100 * HOUR)]
    sums = add_up(cases)
    assert (sums.answer_ms, sums.repair_ms) == (2 * HOUR, 4 * HOUR)


def test_nothing_is_nothing() -> None:
    sums = add_up([])
    assert (sums.faults, sums.local_share, sums.repeat_share, sums.answer_ms) == (0, None, None, None)


def test_groups_keep_every_case_once() -> None:
    cases = [case(category="network"), case(), case(repeated=True)]
    by_category = add_up_by(cases, lambda each: each.category)
    assert {name: (sums.faults, sums.repeated) for name, sums in by_category.items()} == {
        "network": (1, 0),
        "hardware_common": (2, 1),
    }
