"""A station whose clock is dead or wild against a real TLS centre: it gets through, and only to its own centre."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.enrolment import enrol, pin
from agent.errors import EnrolmentError, LinkError
from agent.identity import Keeping, load_identity, pinned_ca
from agent.spool import Spool
from agent.transport import HttpTransport
from agent.uplink import Uplink
from collector import tls
from collector.tls import Folder
from shared.clock import SystemClock
from shared.codes import spell
from shared.wire.v1 import PATH
from tests.clocks import ManualClock
from tests.secure import SecureCentre, secure_centre

DAY_MS = 86_400_000


def year(number: int) -> ManualClock:
    return ManualClock(int(datetime(number, 9, 10, tzinfo=UTC).timestamp() * 1000))


@pytest.fixture(params=[2001, 2026, 2037, 2099])
def centre(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[SecureCentre]:
    """The machine's clock is right; the centre lives in another year, so that the station's clock is wrong by that."""
    with secure_centre(tmp_path / "centre", sqlite_url, year(request.param)) as made:
        yield made


@pytest.fixture
def future(tmp_path: Path, sqlite_url: str) -> Iterator[SecureCentre]:
    """A centre in 2099: the station's clock is 73 years slow, as after a dead battery."""
    with secure_centre(tmp_path / "centre", sqlite_url, year(2099)) as made:
        yield made


@dataclass(slots=True)
class Village:
    """A station's folder and what it has open."""

    folder: Path
    open: ExitStack

    def transport(self, url: str, ca_file: Path | None) -> HttpTransport:
        return self.open.enter_context(closing(HttpTransport(url, ca_file)))

    def enrol(self, centre: SecureCentre) -> Uplink:
        """The way an operator does it: code and fingerprint from the sheet."""
        pin(centre.url, self.folder, fingerprint=centre.fingerprint)
        transport = self.transport(centre.url, pinned_ca(self.folder, None))
        code = centre.new_code(now_ms=present(centre))
        enrol(code, centre=centre.url, transport=transport, state_dir=self.folder)
        spool = self.open.enter_context(closing(Spool(self.folder / "spool", SystemClock().now())))
        return Uplink(
            load_identity(self.folder),
            transport,
            spool,
            dict,
            heartbeat_s=300,
            flush_s=30,
            dice=random.Random(1),  # noqa: S311
            keeping=Keeping(self.folder),
        )


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with ExitStack() as stack:
        yield Village(tmp_path / "station", stack)


def present(centre: SecureCentre) -> int:
    """When the centre's certificates were made, which is its present."""
    return tls.read_standing(centre.folder).since_ms


def test_a_station_delivers_whatever_year_its_clock_believes_in(centre: SecureCentre, village: Village) -> None:
    uplink = village.enrol(centre)

    delivered = uplink.push(SystemClock().now())

    assert delivered
    assert uplink.spool.depth().waiting == 0


def test_the_centres_signed_time_corrects_a_dead_clock(future: SecureCentre, village: Village) -> None:
    uplink = village.enrol(future)
    now = SystemClock().now()
    uplink.push(now)

    assert uplink.offset_ms is not None
    assert abs(now.wall_ms + uplink.offset_ms - present(future)) < 2000


def test_another_authority_is_refused_whatever_the_clock(
    future: SecureCentre, village: Village, tmp_path: Path
) -> None:
    stranger = Folder(tmp_path / "stranger")
    tls.found(stranger, names=["127.0.0.1"], now_ms=present(future))

    with pytest.raises(LinkError, match=r"self-signed|local issuer"):
        village.transport(future.url, stranger.bundle).post(PATH, b"", {})


def test_another_host_name_is_refused_whatever_the_clock(village: Village, tmp_path: Path, sqlite_url: str) -> None:
    with secure_centre(tmp_path / "centre", sqlite_url, year(2099), name="elsewhere.example.cn") as centre:
        transport = village.transport(centre.url, centre.folder.bundle)
        with pytest.raises(LinkError, match="mismatch"):
            transport.post(PATH, b"", {})


def test_an_answer_without_the_centres_signature_changes_nothing_while_the_clock_is_dead(
    future: SecureCentre, village: Village
) -> None:
    """A stolen certificate that has run out would look just like this."""
    uplink = village.enrol(future)
    uplink.identity = replace(uplink.identity, centre_key=bytes(32))

    assert not uplink.push(SystemClock().now())
    assert uplink.spool.depth().waiting == 1


def test_a_certificate_that_has_really_run_out_is_refused(village: Village, tmp_path: Path, sqlite_url: str) -> None:
    clock = year(2099)
    with secure_centre(tmp_path / "centre", sqlite_url, clock) as centre:
        uplink = village.enrol(centre)
        clock.advance(days=800)
        assert not uplink.push(SystemClock().now())
        assert uplink.spool.depth().waiting == 1


def test_a_wrong_fingerprint_stops_enrolment_before_the_code_is_sent(future: SecureCentre, tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="对不上"):
        pin(future.url, tmp_path / "station", fingerprint=spell(bytes(10)))
    assert pinned_ca(tmp_path / "station", None) is None


def test_a_fingerprint_may_be_typed_in_small_letters_without_dashes(future: SecureCentre, tmp_path: Path) -> None:
    typed = future.fingerprint.lower().replace("-", " ")

    assert pin(future.url, tmp_path / "station", fingerprint=typed) == future.fingerprint


def test_without_a_fingerprint_a_private_authority_is_not_trusted(future: SecureCentre, village: Village) -> None:
    with pytest.raises(LinkError, match=r"self-signed|local issuer"):
        village.transport(future.url, None).post(PATH, b"", {})
