"""A dark township is one ticket, and no station's own fault is hidden: small stories, then any order of falling."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.faults.areas import Place
from collector.faults.judging import Scene, judge_district
from collector.faults.rules.base import sample_view
from collector.faults.service import list_rules
from collector.faults.standing import Key, Standing

P, G, TICK = 300, 600, 30
START = 1_788_000_000
DISTRICT = "area/district"
SILENT = {"station_silent": list_rules()["station_silent"]}


@dataclass
class Town:
    """Stations by number in townships of `size`, each heard every P seconds while it is up."""

    townships: int = 3
    size: int = 5
    now: int = START
    down: set[int] = field(default_factory=set)
    stands: dict[Key, Standing] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    heard: dict[int, int] = field(default_factory=dict)
    asked_for: set[str] = field(default_factory=set)
    tick: int = TICK

    def __post_init__(self) -> None:
        self.heard = {station: self.now - station * 37 % P for station in range(self.townships * self.size)}

    def township(self, station: int) -> str:
        return f"area/{station // self.size}"

    def members(self, township: int) -> set[int]:
        return set(range(township * self.size, (township + 1) * self.size))

    def run(self, seconds: int) -> None:
        for _ in range(seconds // self.tick):
            self.now += self.tick
            for station, heard in self.heard.items():
                if station not in self.down and self.now - heard >= P:
                    self.heard[station] = self.now
            self.stands = judge_district(self.scene(), SILENT)
            self._tell()

    def scene(self) -> Scene:
        open_rules = {subject for (subject, rule), row in self.stands.items() if row.open and rule == "station_silent"}
        views = [
            sample_view(
                station_id=station,
                received_ms=heard * 1000,
                ready_since_ms=START * 1000,
                open=frozenset({"station_silent"} if f"station/{station}" in open_rules else ()),
            )
            for station, heard in self.heard.items()
        ]
        places = {each: Place(f"station/{each}", self.township(each), self.township(each)) for each in self.heard}
        return Scene(
            views=views,
            places=places,
            old=self.stands,
            district=DISTRICT,
            limits={},
            period_s=P,
            grace_s=G,
            now_ms=self.now * 1000,
        )

    def _tell(self) -> None:
        """A message for each cause that asks for a ticket and has none; the ticket ends when the cause does."""
        causes = {row.subject for row in self.stands.values() if row.open and row.symptom_of is None}
        standing = {row.subject for row in self.stands.values() if row.open}
        self.told += sorted(causes - self.asked_for)
        self.asked_for = (self.asked_for | causes) & standing

    def is_covered(self, station: int) -> bool:
        """Whether somebody has been told of this silent station: of itself, or of what it is a symptom of."""
        row = self.stands.get((f"station/{station}", "station_silent"))
        if row is None or not row.open:
            return False
        return row.subject in self.asked_for or row.symptom_of in self.asked_for


def test_a_dark_township_is_one_message() -> None:
    town = Town()
    town.run(600)
    town.down = town.members(1)
    town.run(3600)
    assert town.told == ["area/1"]
    assert town.stands["area/1", "area_silent"].facts == {"area": "area/1", "silent": 5, "expected": 5}


def test_the_outage_of_a_township_is_dated_to_the_first_heartbeat_that_did_not_come() -> None:
    town = Town()
    town.run(600)
    town.down = town.members(1)
    town.run(3600)
    first = min(town.heard[station] for station in town.down)
    assert town.stands["area/1", "area_silent"].since_ms == (first + P) * 1000


def test_a_station_still_silent_when_its_township_is_back_gets_its_own_message() -> None:
    town = Town()
    town.down = town.members(1)
    town.run(3600)
    town.down = {7}
    town.run(3600)
    assert town.told == ["area/1", "station/7"]
    assert town.stands["station/7", "station_silent"].since_ms == (town.heard[7] + P) * 1000


def test_a_lone_silent_station_is_told_after_the_hold() -> None:
    town = Town()
    town.down = {3}
    town.run(P + G + P + 30 + 2 * TICK + P)
    assert town.told == ["station/3"]


def test_a_short_cut_tells_nobody() -> None:
    town = Town()
    town.down = {3}
    town.run(P + G)
    town.down = set()
    town.run(3600)
    assert town.told == []


def test_a_district_gone_silent_accuses_the_centre_first() -> None:
    town = Town(townships=5, size=4)
    town.down = set(range(20))
    town.run(3600)
    assert town.told == [DISTRICT]


def test_a_township_still_dark_when_the_centre_is_back_gets_its_message() -> None:
    town = Town(townships=5, size=4)
    town.down = set(range(20))
    town.run(3600)
    town.down = town.members(2)
    town.run(3600)
    assert town.told == [DISTRICT, "area/2"]


def test_stations_long_silent_do_not_make_a_township_dark() -> None:
    town = Town(townships=2, size=6)
    for station in (0, 1, 2, 3):
        town.down = town.down | {station}
        town.run(2 * 3600)
    assert town.told == ["station/0", "station/1", "station/2", "station/3"]


def test_a_township_goes_dark_though_one_station_has_long_been_silent() -> None:
    town = Town(townships=2, size=6)
    town.down = {0}
    town.run(3600)
    town.down = town.members(0)
    town.run(3600)
    assert town.told == ["station/0", "area/0"]


def test_a_station_told_just_before_its_township_goes_dark_becomes_its_symptom() -> None:
    town = Town(townships=2, size=6)
    town.down = {0, 1}
    town.run(P + G)
    town.down = town.members(0)
    town.run(3600)
    assert town.stands["station/0", "station_silent"].symptom_of == "area/0"
    assert sorted(town.told) == ["area/0", "station/0", "station/1"]


def test_six_of_ten_silent_stations_make_a_dark_township_and_five_do_not() -> None:
    told = []
    for count in (5, 6):
        town = Town(townships=2, size=10)
        town.down = set(range(count))
        town.run(3600)
        told.append(town.told)
    assert told == [[f"station/{each}" for each in range(5)], ["area/0"]]


def test_stations_long_silent_are_no_part_of_a_township_that_goes_dark() -> None:
    town = Town(townships=2, size=6)
    for station in (0, 1, 2):
        town.down = town.down | {station}
        town.run(2 * 3600)
    town.down = town.members(0)
    town.run(3600)
    assert town.told == ["station/0", "station/1", "station/2", "area/0"]
    assert town.stands["area/0", "area_silent"].facts["expected"] == 3
    assert town.stands["station/0", "station_silent"].symptom_of is None


def test_a_township_counts_as_back_only_after_two_periods() -> None:
    town = Town()
    town.down = town.members(1)
    town.run(3600)
    town.down = set()
    seen = []
    for _ in range(4):
        town.run(P)
        seen.append(("area/1", "area_silent") in town.stands)
    assert seen == [True, True, False, False]


steps = st.lists(
    st.tuples(st.sets(st.integers(0, 11), max_size=12), st.integers(1, 60).map(lambda minutes: minutes * 60)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(steps=steps)
def test_whatever_falls_silent_and_returns_each_cause_is_told_once_and_nothing_is_hidden(
    steps: Sequence[tuple[set[int], int]],
) -> None:
    town = Town(townships=2, size=6)
    falls: Counter[str] = Counter()
    for down, seconds in steps:
        falls.update(f"station/{station}" for station in down - town.down)
        falls.update({town.township(station) for station in down - town.down})
        falls.update({DISTRICT})
        town.down = set(down)
        town.run(seconds)
    town.run(2 * (P + G + P + 30))
    assert all(town.is_covered(station) for station in town.down)
    assert Counter(town.told) <= falls
    town.down = set()
    town.run(3 * P + 2 * TICK)
    assert town.stands == {}


@st.composite
def crowds(draw: st.DrawFn) -> tuple[int, list[tuple[range, int]]]:
    """A district of 14 to 5 000 stations, and ranges of neighbours that fall silent together, for so many minutes."""
    stations = draw(st.sampled_from([14, 245, 1_000, 5_000]))
    falls = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, stations - 1))
        falls.append((range(first, draw(st.integers(first + 1, stations))), draw(st.integers(22, 60))))
    return stations, falls


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@example(crowd=(5_000, [(range(5_000), 30), (range(1_000, 1_200), 60)]))
@given(crowd=crowds())
def test_from_14_to_5_000_stations_one_cause_is_one_message_a_person_and_nothing_is_hidden(
    crowd: tuple[int, list[tuple[range, int]]],
) -> None:
    """Each township's "1" is told of her stations and her township, the centre of the district and of itself."""
    stations, falls = crowd
    town = Town(townships=-(-stations // 14), size=14, tick=150)
    causes: Counter[str] = Counter()
    for down, minutes in falls:
        town.down = set(down) & set(town.heard)
        causes.update({f"station/{each}" for each in town.down} | {town.township(each) for each in town.down})
        causes.update({DISTRICT})
        town.run(minutes * 60)
    town.run(2 * (P + G + P + 30))
    assert all(town.is_covered(station) for station in town.down)
    assert Counter(town.told) <= causes
    heard_of = Counter(_person(subject, town) for subject in town.told)
    assert all(count <= _causes_of(person, falls, town) for person, count in heard_of.items())
    town.down = set()
    town.run(4 * P)
    assert town.stands == {}


def _person(subject: str, town: Town) -> str:
    """Whom a message about this goes to: the "1" of the township, or the centre."""
    if subject.startswith("station/"):
        return town.township(int(subject.removeprefix("station/")))
    return subject


def _causes_of(person: str, falls: Sequence[tuple[range, int]], town: Town) -> int:
    """How many things happened in this person's field: each fall that touched the township, or one of its stations.

    A fall that reaches most of a township is one thing; a smaller one is as many as stations.
    """
    if person == DISTRICT:
        return len(falls)
    members = town.members(int(person.removeprefix("area/")))
    touched = [len(members & set(down)) for down, _ in falls]
    return sum(1 if count == len(members) else count for count in touched) + len(falls)
