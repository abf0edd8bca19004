"""The centre's authority: made once, renewed ahead, changed with an overlap that leaves no station behind."""

import asyncio
import json
import ssl
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from agent.enrolment import enrol, pin, pin_file
from agent.identity import Keeping, load_identity, pinned_ca
from agent.spool import Spool
from agent.transport import HttpTransport
from agent.uplink import Uplink
from collector import setup, tls
from collector.certificates import write_pem
from collector.errors import NotFoundError, SetupError
from collector.settings import Settings
from collector.tls import Folder
from shared.clock import SystemClock, wall_ms
from tests.clocks import ManualClock
from tests.secure import SecureCentre, secure_centre

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_000
NAMES = ["centre.example.cn", "10.1.2.3"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "tls")
    tls.found(made, names=NAMES, now_ms=NOW_MS)
    return made


def shown(folder: Folder) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(folder.server.read_bytes())


def days_left(certificate: x509.Certificate, now_ms: int) -> float:
    return (certificate.not_valid_after_utc.timestamp() * 1000 - now_ms) / DAY_MS


def keep_up(folder: Folder, *, days: float) -> bool:
    return tls.keep_up(folder, names=NAMES, now_ms=NOW_MS + round(days * DAY_MS))


def test_founding_again_changes_nothing(folder: Folder) -> None:
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    tls.found(folder, names=NAMES, now_ms=NOW_MS + DAY_MS)

    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_private_halves_are_for_the_centres_own_user_alone(folder: Folder) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder.server, folder.authority(1))}

    assert modes == {"server.pem": 0o600, "authority-1.pem": 0o600}
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert b"PRIVATE" not in folder.bundle.read_bytes()


def test_the_server_is_called_by_every_name_and_lives_two_years(folder: Folder) -> None:
    (certificate,) = shown(folder)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert [str(each.value) for each in names] == NAMES
    assert days_left(certificate, NOW_MS) == pytest.approx(730, abs=1)


def test_the_server_is_renewed_sixty_days_ahead_and_not_before(folder: Folder) -> None:
    before = shown(folder)[0].serial_number

    assert not keep_up(folder, days=669)
    assert keep_up(folder, days=671)
    assert shown(folder)[0].serial_number != before


def test_the_server_is_renewed_when_it_is_called_otherwise(folder: Folder) -> None:
    assert tls.keep_up(folder, names=["neu.example.cn"], now_ms=NOW_MS)
    assert not tls.keep_up(folder, names=["neu.example.cn"], now_ms=NOW_MS)


def test_a_change_is_announced_then_made_then_forgotten(folder: Folder) -> None:
    tls.announce(folder, now_ms=NOW_MS)
    steps = [tls.read_standing(folder)]
    for days in (89, 91, 170, 182):
        keep_up(folder, days=days)
        steps.append(tls.read_standing(folder))

    assert [(each.version, each.current, each.trusted) for each in steps] == [
        (2, 1, (1, 2)),
        (2, 1, (1, 2)),
        (2, 2, (1, 2)),
        (2, 2, (1, 2)),
        (3, 2, (2,)),
    ]


def test_an_authority_that_grows_old_is_followed_of_itself(folder: Folder) -> None:
    keep_up(folder, days=17 * 365)
    early = tls.read_standing(folder).trusted
    keep_up(folder, days=18 * 365 + 10)

    assert (early, tls.read_standing(folder).trusted) == ((1,), (1, 2))


def test_two_changes_at_once_are_refused(folder: Folder) -> None:
    tls.announce(folder, now_ms=NOW_MS)
    with pytest.raises(SetupError, match="还没有结束"):
        tls.announce(folder, now_ms=NOW_MS)


def test_without_certificates_the_centre_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="yuanjiao-collector renew"):
        tls.serving_context(Folder(tmp_path))


def test_a_fingerprint_is_sixteen_characters_a_person_can_type(folder: Folder) -> None:
    authority = tls.list_authorities(folder)[0]

    assert len(tls.fingerprint(authority).replace("-", "")) == 16
    assert tls.fingerprint(authority) == tls.fingerprint(authority)


def test_init_makes_certificates_for_https_and_none_for_the_demonstration(tmp_path: Path) -> None:
    plain = Settings(database=f"sqlite+aiosqlite:///{tmp_path}/plain/centre.db")
    secure = Settings(database=f"sqlite+aiosqlite:///{tmp_path}/own/centre.db", public_url="https://c.example.cn")
    proxied = Settings(
        database=f"sqlite+aiosqlite:///{tmp_path}/proxied/centre.db", public_url="https://c.cn", behind_proxy=True
    )
    for each in (plain, secure, proxied):
        setup.prove_centre(each)

    assert [setup.get_fingerprint(each) != "" for each in (plain, secure, proxied)] == [False, True, False]
    assert all((each.tls_folder / "centre.key").exists() for each in (plain, secure, proxied))


def test_whoever_decides_names_a_station_rightly(sqlite_url: str) -> None:
    settings = Settings(database=sqlite_url)
    with pytest.raises(NotFoundError, match="510802/17"):
        asyncio.run(setup.release(settings, station="爱国社区"))


@dataclass(slots=True)
class Village:
    """A station enrolled at a real centre over TLS."""

    centre: SecureCentre
    folder: Path
    uplink: Uplink

    def let_overlap_pass(self) -> None:
        """The present step of a change began long ago; let the centre take the next one, today."""
        folder, settings = self.centre.folder, self.centre.settings
        values = json.loads(folder.trust.read_bytes())
        folder.trust.write_text(json.dumps(values | {"since_ms": values["since_ms"] - 91 * DAY_MS}), "ascii")
        tls.keep_up(folder, names=tls.list_names(settings.public_url, settings.host), now_ms=wall_ms())

    def push(self) -> bool:
        return self.uplink.push(SystemClock().now())


@pytest.fixture
def village(tmp_path: Path, sqlite_url: str) -> Iterator[Village]:
    with ExitStack() as stack:
        centre = stack.enter_context(secure_centre(tmp_path / "centre", sqlite_url, ManualClock(wall_ms())))
        folder = tmp_path / "station"
        pin(centre.url, folder, fingerprint=centre.fingerprint)
        transport = stack.enter_context(closing(HttpTransport(centre.url, pinned_ca(folder, None))))
        enrol(centre.new_code(now_ms=wall_ms()), centre=centre.url, transport=transport, state_dir=folder)
        spool = stack.enter_context(closing(Spool(folder / "spool", SystemClock().now())))
        identity, keeping = load_identity(folder), Keeping(folder)
        yield Village(
            centre, folder, Uplink(identity, transport, spool, dict, heartbeat_s=300, flush_s=30, keeping=keeping)
        )


def reconnect(village: Village) -> None:
    """Let the next push shake hands anew."""
    village.uplink.transport.close()  # type: ignore[attr-defined]


def test_a_station_takes_a_new_authority_over_from_a_push_and_follows_the_change(village: Village) -> None:
    village.push()
    tls.announce(village.centre.folder, now_ms=wall_ms())
    village.centre.refresh()
    announced = village.push()
    known = (village.folder / "ca.pem").read_text("ascii").count("BEGIN")
    village.let_overlap_pass()
    village.let_overlap_pass()
    reconnect(village)

    assert announced
    assert known == 2
    assert village.push()


def test_a_station_that_slept_through_the_whole_change_still_finds_its_way(village: Village) -> None:
    village.push()
    tls.announce(village.centre.folder, now_ms=wall_ms())
    village.let_overlap_pass()
    village.let_overlap_pass()
    village.centre.refresh()
    reconnect(village)

    assert village.push()
    assert (village.folder / "ca.pem").read_text("ascii") == "".join(tls.list_authorities(village.centre.folder))


def test_authorities_that_the_centre_has_not_signed_are_not_taken_over(village: Village, folder: Folder) -> None:
    before = (village.folder / "ca.pem").read_bytes()
    seal = village.centre.app.state.centre.seal
    forged = seal.trust.model_copy(update={"version": 9, "authorities": tls.list_authorities(folder)})
    seal.trust, seal.version = forged, 9

    assert village.push()
    assert (village.folder / "ca.pem").read_bytes() == before


def test_a_renewed_certificate_is_shown_without_a_restart(village: Village) -> None:
    tls.keep_up(village.centre.folder, names=["127.0.0.1", "other.example.cn"], now_ms=wall_ms())
    pem = ssl.get_server_certificate(("127.0.0.1", village.centre.settings.port))

    assert pem.strip() == write_pem(shown(village.centre.folder)[0]).strip()


def test_an_authority_may_be_carried_to_the_station_by_hand(village: Village, tmp_path: Path) -> None:
    pin_file(village.centre.folder.bundle, tmp_path / "other")

    with closing(HttpTransport(village.centre.url, pinned_ca(tmp_path / "other", None))) as transport:
        assert transport.post("/api/v1/push", b"", {}).status == 401
