"""The algebra of playbacks and the settling of a day, without a database."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.usage import segments
from collector.usage.facts import StoredEvent, read_facts
from collector.usage.gatherings import Settled, settle_day
from collector.usage.playing import content_s, join, level_seconds
from collector.usage.records import Playback, SessionState, StudySession
from collector.usage.rules import UsageRules
from shared.months import BEIJING, month_of
from shared.wire.v1 import dump_line
from tests.collector.usage.events import Fact, at, claim, plays

HOUR_MS = 3_600_000


def read(*facts: Fact) -> list[Playback]:
    return read_facts(1, (_stored(each) for each in facts), zone=BEIJING).playbacks


def joined(*facts: Fact) -> Playback:
    return join(read(*facts), zone=BEIJING)


def settle(*facts: Fact, day: int = 20260910) -> Settled:
    """One day from whole playings and claims."""
    found = read_facts(1, (_stored(each) for each in facts), zone=BEIJING)
    ids = dict.fromkeys(each.playback for each in found.playbacks)
    rows = [join([each for each in found.playbacks if each.playback == one], zone=BEIJING) for one in ids]
    return settle_day(day, rows, found.claims, downloaded=0, rules=UsageRules(), zone=BEIJING)


def proposed(settled: Settled) -> list[StudySession]:
    return [each for each in settled.sessions if each.state is SessionState.PROPOSED]


def _stored(fact: Fact) -> StoredEvent:
    booked_ms = fact.at_ms + fact.late_ms
    line = dump_line({"data": fact.data})
    month = month_of(booked_ms)
    return StoredEvent("1" * 32, 1, fact.kind, fact.at_ms, booked_ms, month, fact.uncertain, line, fact.refused)


REPORTS = st.builds(
    lambda index, played, content, uncertain, begun, begin, seen, reason, flags: replace(
        read(*plays("甲", "2026-09-10 19:00", minutes=40, playback="p"))[index],
        played_s=float(played),
        content_s=float(content),
        uncertain=uncertain,
        begun=begun,
        begin_ms=at("2026-09-10 19:00") + begin * HOUR_MS,
        seen_ms=None if seen is None else at("2026-09-10 20:00") + seen * HOUR_MS,
        reason=reason,
        flags=flags,
    ),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.integers(-9, 9),
    st.none() | st.integers(-3, 30),
    st.sampled_from([None, "completed", "stopped", "error", "abandoned"]),
    st.lists(st.sampled_from(["a", "b"])),
)


@given(st.lists(REPORTS, min_size=1, max_size=5), st.data())
def test_joining_is_the_same_in_any_order_in_pieces_and_twice(reports: list[Playback], data: st.DataObject) -> None:
    whole = join(reports, zone=BEIJING)
    shuffled = data.draw(st.permutations(reports))
    cut = data.draw(st.integers(0, len(shuffled) - 1))
    pieces = [join(shuffled[cut:], zone=BEIJING), *shuffled[:cut]]
    assert join(pieces, zone=BEIJING) == whole
    assert join([whole, *shuffled], zone=BEIJING) == whole


def test_an_older_progress_after_a_newer_changes_nothing() -> None:
    started, progress, ended = plays("甲", "2026-09-10 19:00", minutes=40)
    assert joined(ended, progress, started) == joined(started, progress, ended)
    assert joined(ended, progress).played_s == 2400


def test_the_begin_told_by_a_report_is_moved_as_the_report_was() -> None:
    years = at("2026-09-10 19:00") - at("2013-01-01 08:00")
    _, _, ended = plays("甲", "2013-01-01 08:00", minutes=40, late_ms=years)
    assert joined(ended).begin_ms == at("2026-09-10 19:00")


def test_a_clock_that_jumped_while_playing_leaves_only_the_played_time() -> None:
    ended = plays("甲", "2026-09-10 19:00", minutes=40)[2]
    jumped = Fact(ended.kind, ended.at_ms, ended.data | {"begin_ms": at("2013-01-01 08:00")})
    ahead = Fact(ended.kind, ended.at_ms, ended.data | {"begin_ms": at("2030-01-01 08:00")})
    unknown = Fact(ended.kind, ended.at_ms, ended.data | {"begin_ms": 0})
    assert {joined(each).begin_ms for each in (jumped, ahead, unknown)} == {at("2026-09-10 19:00")}


def test_a_play_ended_by_a_power_cut_ends_at_its_last_checkpoint_though_reported_days_later() -> None:
    started, progress, ended = plays("甲", "2026-09-10 19:00", minutes=40)
    last_words = progress.data | {"reason": "abandoned"}
    abandoned = Fact(ended.kind, at("2026-09-14 08:00"), last_words)
    row = joined(started, progress, abandoned)
    assert (row.reason, row.end_ms) == ("abandoned", at("2026-09-10 19:20"))
    assert joined(abandoned).begin_ms == at("2026-09-10 19:00")


def test_a_pause_at_the_end_does_not_lengthen_the_playing() -> None:
    started, progress, _ = plays("甲", "2026-09-10 19:00", minutes=40)
    later = [Fact(progress.kind, progress.at_ms + hours * HOUR_MS, progress.data) for hours in (2, 1, 0)]
    assert joined(started, *later).end_ms == at("2026-09-10 19:20")


def test_a_pause_in_the_middle_does() -> None:
    started, _, ended = plays("甲", "2026-09-10 19:00", minutes=40)
    assert joined(started, Fact(ended.kind, at("2026-09-10 20:00"), ended.data)).end_ms == at("2026-09-10 20:00")


def test_playings_half_an_hour_apart_are_one_gathering_and_further_apart_two() -> None:
    first = plays("甲", "2026-09-10 09:00", minutes=20)
    (near,) = proposed(settle(*first, *plays("乙", "2026-09-10 09:50", minutes=30)))
    far = proposed(settle(*first, *plays("乙", "2026-09-10 09:51", minutes=30)))
    assert (near.begin_ms, near.end_ms, near.topic) == (at("2026-09-10 09:00"), at("2026-09-10 10:20"), "乙")
    assert [each.topic for each in far] == ["甲", "乙"]


def test_a_long_film_holds_the_gathering_together() -> None:
    facts = [
        *plays("长", "2026-09-10 09:00", minutes=120),
        *plays("短", "2026-09-10 09:10", minutes=5),
        *plays("后", "2026-09-10 11:20", minutes=10),
    ]
    assert len(proposed(settle(*facts))) == 1


def test_less_than_ten_minutes_of_content_is_no_gathering() -> None:
    assert not proposed(settle(*plays("甲", "2026-09-10 09:00", minutes=9.9)))
    assert proposed(settle(*plays("甲", "2026-09-10 09:00", minutes=10)))


def test_the_proposed_id_is_the_same_each_time_and_differs_by_first_playback() -> None:
    one, again = (proposed(settle(*plays("甲", "2026-09-10 09:00", minutes=20)))[0] for _ in range(2))
    other = proposed(settle(*plays("甲", "2026-09-10 09:00", minutes=20, playback="q")))[0]
    assert one == again
    assert one.session_id != other.session_id


def test_the_claim_that_overlaps_most_covers_the_playing() -> None:
    settled = settle(
        *plays("甲", "2026-09-10 09:00", minutes=60),
        claim("2026-09-10 08:00", "2026-09-10 09:10", people=3, session="little"),
        claim("2026-09-10 09:05", "2026-09-10 10:00", people=3, session="much"),
    )
    assert [each.session_id for each in settled.playbacks] == ["much"]


def test_levels_are_never_more_than_was_played_and_the_best_are_cut_first() -> None:
    (row,) = settle(*plays("甲", "2026-09-10 09:00", minutes=20)).playbacks
    greedy = replace(row, minutes={"E1": 5.0, "E2": 10.0, "E4": 60.0})
    assert level_seconds(greedy) == {"E1": 300, "E2": 600, "E3": 0, "E4": 300}


def test_segments_that_say_more_than_the_count_are_not_believed() -> None:
    (row,) = settle(*plays("甲", "2026-09-10 09:00", minutes=20)).playbacks
    assert content_s([replace(row, segments="0[.]99999"), replace(row, segments="")]) == 2400


def test_segments_of_one_file_unite_and_nonsense_is_left_out() -> None:
    pieces = segments.parse("0[.]30[,]20[.]50[,]x[.]9[,]9[.]3[,]nan[.]inf[,]100[.]110[,]")
    assert segments.union_s(pieces) == 60
    assert segments.parse("") == []
