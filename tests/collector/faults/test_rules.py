import pytest
from pydantic import ValidationError

from collector.faults.rules.base import SIGNS_KEPT_DAYS, Limits, Rule, Sample
from collector.faults.service import list_cards, list_rules

RULES = list_rules()
CASES = [
    pytest.param(rule, sample, is_open, id=f"{name}-{number}-{'open' if is_open else 'closed'}")
    for name, rule in RULES.items()
    for number, sample in enumerate(rule.samples)
    for is_open in (False, True)
]


def test_the_rules_are_all_there() -> None:
    assert set(RULES) == {
        "agent_restarting",
        "audio_missing",
        "audio_muted_while_playing",
        "clock_wrong",
        "courseware_corrupt",
        "courseware_missing",
        "device_swapped",
        "disk_failing",
        "disk_low",
        "display_disconnected",
        "download_stalled",
        "lamp_end_of_life",
        "link_unstable",
        "never_seen",
        "no_use",
        "player_failing",
        "probe_failing",
        "projector_error",
        "projector_left_on",
        "projector_unreachable",
        "satellite_silent",
        "silent_playback",
        "spool_gap",
        "spool_stuck",
        "station_silent",
        "tamper",
        "textfile_fault",
    }


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_named_after_its_file(name: str) -> None:
    assert RULES[name].name == name


@pytest.mark.parametrize(("rule", "sample", "is_open"), CASES)
def test_a_rule_says_of_its_samples_what_it_promises(rule: Rule, sample: Sample, is_open: bool) -> None:
    view = sample.open_view(rule.name) if is_open else sample.view
    seen = rule.judge(view, rule.limits(), sample.now_ms) is not None
    assert seen == (sample.when_open if is_open else sample.when_closed)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_shows_how_it_opens_holds_and_closes(rule: Rule) -> None:
    shown = {(each.when_closed, each.when_open) for each in rule.samples}
    assert {(True, True), (False, True), (False, False)} <= shown


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_what_a_rule_finds_makes_a_sentence(rule: Rule) -> None:
    opening = next(each for each in rule.samples if each.when_closed)
    finding = rule.judge(opening.view, rule.limits(), opening.now_ms)
    assert finding is not None
    sentence = rule.finding(finding.facts)
    assert not set("{}—") & set(sentence), sentence


@pytest.mark.parametrize("name", list_cards())
def test_a_card_tells_both_the_plain_and_the_backbone_operator_what_to_do(name: str) -> None:
    card = list_cards()[name]
    assert card.hint_plain.endswith("。")
    assert card.hint_backbone.endswith("。")
    assert card.hint_plain != card.hint_backbone


def test_facts_that_lack_a_word_still_make_a_sentence() -> None:
    assert list_cards()["disk_low"].finding({"percent": 3}) == "课件盘只剩 3%（— GB）"


def test_limits_refuse_a_field_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="extra"):
        Limits.model_validate({"open_below": 3})


@pytest.mark.parametrize("name", ["device_swapped", "tamper"])
def test_no_rule_may_go_by_signs_older_than_a_round_reads(name: str) -> None:
    limits = RULES[name].limits
    assert limits.model_validate({"close_days": SIGNS_KEPT_DAYS})
    with pytest.raises(ValidationError):
        limits.model_validate({"close_days": SIGNS_KEPT_DAYS + 1})
