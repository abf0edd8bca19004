"""The running agent's part, with a clock moved by hand: asking, fetching over bad links, waiting, installing."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.errors import LinkError
from agent.identity import Identity
from agent.probes.base import Fact
from agent.room import Space
from agent.spool import Spool
from agent.transport import Response
from agent.upgrade.installing import Running
from agent.upgrade.pointer import FOLDER, PACKAGE, Place, Pointer
from agent.upgrade.upgrader import Surroundings, Upgrader
from shared import signing
from shared.release import split_release
from shared.wire.releases import RELEASE_PATH, ReleaseAnswer
from tests.clocks import ManualClock
from tests.releases import KEYS, OTHER_KEY, make_release

KEY = signing.new_key()
IDENTITY = Identity(station="510802/17", title="宝轮镇 爱国社区", centre="http://centre.test", key=KEY)
NOISE = random.Random(7).randbytes(200_000)  # noqa: S311 - so that it does not shrink when packed
BIG = make_release("0.2.0", {"__main__.py": "", "noise": NOISE})
ROOMY = Space(10**10, 10**11)


@dataclass(slots=True)
class Courier:
    """A centre that offers one release. `cuts` says how many of the next pieces are lost on the way."""

    release: bytes = BIG
    offer: int = 1
    cuts: int = 0
    offers: bool = True
    asked: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list)

    def get(self, path: str, headers: Mapping[str, str]) -> Response:
        claim = signing.read_claim(headers["Authorization"])
        signing.verify(claim, bytes(KEY.verify_key), method="GET", path=path, body=b"")
        header, _, payload = self.release.partition(b"\n")
        if path == RELEASE_PATH:
            self.asked += 1
            answer = ReleaseAnswer(offer=self.offer, header=header.decode())
            return Response(200, answer.model_dump_json().encode()) if self.offers else Response(204, b"")
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", headers["Range"])
        assert span is not None
        first, last = int(span[1]), int(span[2])
        self.pieces.append((first, last))
        if self.cuts:
            self.cuts -= 1
            raise LinkError
        return Response(206, payload[first : last + 1])


@dataclass(slots=True)
class Desk:
    """One upgrader with its neighbours."""

    clock: ManualClock
    folder: Path
    courier: Courier = field(default_factory=Courier)
    playing: bool = False
    well: bool = True
    free: Space = ROOMY
    spool: Spool = field(init=False)
    upgrader: Upgrader = field(init=False)

    def __post_init__(self) -> None:
        self.spool = Spool(self.folder / "spool", self.clock.now())
        self.delivers()
        self.start()

    def start(self, running: Running | None = Running("0.1.0", PACKAGE)) -> None:  # noqa: B008 - frozen
        around = Surroundings(
            self.spool,
            lambda: IDENTITY,
            self.courier.get,
            has_tried=lambda: True,
            is_well=lambda: self.well,
            is_playing=lambda: self.playing,
            free_bytes=lambda _: self.free,
        )
        dice = random.Random(1)  # noqa: S311
        place = Place(self.folder / FOLDER)
        self.upgrader = Upgrader(place, running, KEYS, around, ask_every_s=21_600, rate_kib_s=32, dice=dice)
        self.upgrader.looked = True

    def delivers(self) -> None:
        """The centre has all that was recorded."""
        self.spool.acknowledge(self.spool.stream, self.spool.depth().last, self.clock.now())

    @property
    def place(self) -> Place:
        return self.upgrader.place

    def passes(self, *, seconds: int, step_s: int = 1) -> None:
        for _ in range(seconds // step_s):
            self.clock.advance(seconds=step_s)
            self.upgrader.tick(self.clock.now())


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Desk:
    return Desk(clock, tmp_path)


def test_it_asks_within_ten_minutes_fetches_in_small_pieces_and_switches(desk: Desk) -> None:
    desk.passes(seconds=700)

    assert desk.upgrader.switched
    assert desk.place.read() == Pointer(slot="a", trial=True, offer=1)
    assert desk.place.describe("a")[0] == "0.2.0"
    assert max(last - first for first, last in desk.courier.pieces) < 32 * 1024
    assert not list(desk.place.waiting.iterdir())


def test_pieces_that_are_lost_are_fetched_again_and_no_other(desk: Desk) -> None:
    desk.courier.cuts = 3
    desk.passes(seconds=1200)

    assert desk.upgrader.switched
    assert desk.courier.pieces[:4] == [desk.courier.pieces[0]] * 4
    assert len(set(desk.courier.pieces)) == len(desk.courier.pieces) - 3


def test_a_restart_in_the_middle_goes_on_where_it_was(desk: Desk) -> None:
    while len(desk.courier.pieces) < 3:
        desk.passes(seconds=1)
    desk.start()
    seen = list(desk.courier.pieces)
    desk.passes(seconds=1200)

    assert desk.upgrader.switched
    assert not set(seen) & set(desk.courier.pieces[len(seen) :])


def test_it_is_never_faster_than_it_may_be(desk: Desk) -> None:
    while not desk.courier.pieces:
        desk.passes(seconds=1)
    before = len(desk.courier.pieces)
    desk.passes(seconds=3)

    assert len(desk.courier.pieces) - before <= 3


def test_what_arrives_damaged_is_thrown_away_and_fetched_anew(desk: Desk) -> None:
    good = desk.courier.release
    desk.courier.release = good[:-50] + bytes(50)
    desk.passes(seconds=900)
    assert not desk.upgrader.switched
    assert "已损坏" in desk.upgrader.report.reason
    assert not list(desk.place.waiting.iterdir())

    desk.courier.release = good
    desk.passes(seconds=12 * 3600, step_s=60)
    assert desk.upgrader.switched


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (make_release("0.2.0", keys=(OTHER_KEY,)), "签名不对"),
        (make_release("0.2.0", minimum_from="0.1.5"), "先升级到"),
        (make_release("0.2.0", needs={"absent": "1"}), r".deb"),
    ],
    ids=["wrong_key", "step_missing", "other_packages"],
)
def test_what_does_not_fit_is_not_even_fetched_and_the_centre_hears_why(desk: Desk, release: bytes, why: str) -> None:
    desk.courier.release = release
    desk.passes(seconds=700)

    assert desk.courier.pieces == []
    assert (desk.upgrader.report.version, why in desk.upgrader.report.reason) == ("0.2.0", True)


def test_an_old_version_is_no_news(desk: Desk) -> None:
    desk.courier.release = make_release("0.1.0")
    desk.passes(seconds=700)

    assert (desk.courier.asked, desk.courier.pieces, desk.upgrader.report.version) == (1, [], "")


def test_while_a_film_plays_nothing_is_fetched_and_nothing_switched(desk: Desk) -> None:
    desk.playing = True
    desk.passes(seconds=3 * 3600, step_s=10)
    assert desk.courier.pieces == []
    desk.playing = False
    while not list(desk.place.waiting.glob("*.release")):
        desk.passes(seconds=1)
    desk.playing = True
    desk.passes(seconds=3600, step_s=10)
    assert not desk.upgrader.switched
    desk.playing = False
    desk.passes(seconds=5)
    assert desk.upgrader.switched


def test_a_room_that_plays_day_and_night_is_upgraded_after_a_day(desk: Desk) -> None:
    desk.playing = True
    desk.passes(seconds=23 * 3600, step_s=60)
    assert not desk.upgrader.switched
    desk.passes(seconds=3 * 3600, step_s=60)
    assert desk.upgrader.switched


def test_records_come_first_and_a_dead_link_is_not_asked(desk: Desk) -> None:
    desk.spool.append([Fact("note", {})], desk.clock.now(), memo={})
    desk.passes(seconds=3600, step_s=10)
    assert desk.courier.asked == 0
    desk.delivers()
    desk.well = False
    desk.passes(seconds=3600, step_s=10)
    assert desk.courier.asked == 0
    desk.well = True
    desk.passes(seconds=600)
    assert desk.upgrader.switched


def test_without_room_on_the_disk_it_waits(desk: Desk) -> None:
    desk.free = Space(1024 * 1024, 10**11)
    desk.passes(seconds=3600, step_s=10)
    assert desk.courier.pieces == []
    assert "硬盘快满" in desk.upgrader.report.reason
    desk.free = ROOMY
    desk.passes(seconds=8 * 3600, step_s=60)
    assert desk.upgrader.switched


def test_what_was_taken_back_is_tried_again_under_a_new_offer_only(desk: Desk) -> None:
    sha256 = split_release(desk.courier.release)[0].manifest.sha256
    desk.place.folder.mkdir()
    desk.place.write(Pointer(failed="0.2.0", failed_sha256=sha256, failed_offer=1, why="a bug", told=False))
    desk.start()
    desk.passes(seconds=5)
    desk.delivers()
    desk.passes(seconds=700)
    assert desk.courier.pieces == []
    assert "a bug" in desk.upgrader.report.reason
    assert desk.place.read().told

    desk.courier.offer = 2
    desk.passes(seconds=8 * 3600, step_s=60)
    assert desk.upgrader.switched


def test_what_is_no_longer_offered_is_forgotten(desk: Desk) -> None:
    while len(desk.courier.pieces) < 3:
        desk.passes(seconds=1)
    desk.courier.offers = False
    desk.start()
    desk.passes(seconds=700)

    assert not list(desk.place.waiting.iterdir())
    assert not desk.upgrader.switched


def test_an_agent_nobody_launched_leaves_everything_alone(desk: Desk) -> None:
    desk.start(running=None)
    desk.passes(seconds=3600, step_s=10)

    assert desk.courier.asked == 0
    assert not desk.place.folder.exists()


def test_a_release_on_trial_proves_itself_only_when_it_looked_recorded_and_tried(desk: Desk) -> None:
    desk.place.folder.mkdir()
    desk.place.write(Pointer(slot="a", trial=True, starts=1, trials=1))
    desk.start(Running("0.2.0", "a"))
    desk.upgrader.looked = False
    desk.passes(seconds=10)
    assert desk.place.read().trial
    desk.upgrader.looked = True
    desk.passes(seconds=2)

    assert desk.place.read() == Pointer(slot="a", highest="0.2.0")


def test_one_that_is_too_large_when_unpacked_is_refused(desk: Desk) -> None:
    desk.courier.release = make_release("0.2.0", {"__main__.py": "", "big": bytes(129 * 1024 * 1024)})
    assert len(desk.courier.release) < 1024 * 1024
    desk.passes(seconds=1200)

    assert not desk.upgrader.switched
    assert "太大" in desk.upgrader.report.reason
