"""The centre's own certificate authority: made once, renewed ahead of time, changed with an overlap. No HTTP, no SQL.

A folder holds an authority (20 years) and the certificate it gives this server (2 years). `trust.json` says which
authority signs and which ones stations shall trust; replacing that file is the only step of a change, so a power cut
leaves the old state or the new one. A later authority is also signed by the one before it, and the server shows that
too: a station that slept through a whole change still finds its way (decision 0016).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from collector.certificates import (
    Authority,
    list_alternatives,
    make_authority,
    make_server,
    read_authority,
    read_time,
    write_pem,
)
from collector.errors import SetupError
from collector.files import replace_file
from shared.codes import spell

RENEW_DAYS = 60
"""The server's certificate is renewed when fewer days are left."""
OVERLAP_DAYS = 90
"""From announcing an authority to using it, and from using it to forgetting the one before."""
SUCCESSION_DAYS = 2 * 365
"""A new authority is announced when the present one has fewer days left."""
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What `trust.json` says: authority `current` signs, stations trust `trusted`, since `since_ms`, as `version`."""

    version: int
    current: int
    trusted: tuple[int, ...]
    since_ms: int


@dataclass(frozen=True, slots=True)
class Folder:
    """Where keys and certificates lie. Everything in it with a private half is for the centre's user alone."""

    path: Path

    @property
    def server(self) -> Path:
        """Key, certificate and what leads from it to older authorities, in one file: uvicorn's and a proxy's alike."""
        return self.path / "server.pem"

    @property
    def bundle(self) -> Path:
        """The authorities stations trust, for carrying by hand (`yuanjiao-agent enroll --ca-file`)."""
        return self.path / "ca.pem"

    @property
    def trust(self) -> Path:
        return self.path / "trust.json"

    def authority(self, number: int) -> Path:
        return self.path / f"authority-{number}.pem"


def found(folder: Folder, *, names: Sequence[str], now_ms: int) -> None:
    """Make the authority and the server's certificate where they are missing. `names`: host names and addresses."""
    with _alone(folder):
        if not folder.trust.exists():
            replace_file(folder.authority(1), make_authority(1, now_ms, before=None).pem)
            _settle(folder, Standing(1, 1, (1,), now_ms))
        if not folder.server.exists():
            _issue(folder, read_standing(folder), names, now_ms)


def keep_up(folder: Folder, *, names: Sequence[str], now_ms: int) -> bool:
    """Take every step that is due: renew the server's certificate, announce, use or forget an authority.

    Returns whether something changed.
    """
    with _alone(folder):
        standing = _move_on(folder, read_standing(folder), now_ms)
        if standing is None and not is_due(folder, names=names, now_ms=now_ms):
            return False
        _issue(folder, standing or read_standing(folder), names, now_ms)
        return True


def announce(folder: Folder, *, now_ms: int) -> Standing:
    """Begin a change: make the next authority and have stations trust it beside the present one."""
    with _alone(folder):
        standing = read_standing(folder)
        if len(standing.trusted) > 1:
            raise SetupError("上一次更换根证书还没有结束。请等它完成（约半年）后再更换。")
        return _announce(folder, standing, now_ms)


def is_due(folder: Folder, *, names: Sequence[str], now_ms: int) -> bool:
    """Whether the server's certificate runs out soon or lacks one of these names."""
    try:
        shown = x509.load_pem_x509_certificates(folder.server.read_bytes())[0]
    except (OSError, ValueError):
        return True
    left = shown.not_valid_after_utc - read_time(now_ms)
    names_shown = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return left < timedelta(days=RENEW_DAYS) or set(list_alternatives(names)) != set(names_shown)


def read_standing(folder: Folder) -> Standing:
    """Raises SetupError where no authority has been made."""
    try:
        values = json.loads(folder.trust.read_bytes())
        return Standing(values["version"], values["current"], tuple(values["trusted"]), values["since_ms"])
    except (OSError, ValueError, KeyError) as error:
        raise SetupError(f"证书目录 {folder.path} 里没有可用的证书。请先运行：yuanjiao-collector renew") from error


def list_authorities(folder: Folder) -> list[str]:
    """The certificates (PEM) stations shall trust, the signing one first."""
    standing = read_standing(folder)
    order = sorted(standing.trusted, key=lambda number: number != standing.current)
    return [write_pem(_read_authority(folder, number).certificate) for number in order]


def fingerprint(authority: str) -> str:
    """80 bits of the SHA-256 of a certificate, as a person types it: `7K4M-9QXT-2HDW-3FJ0`."""
    return spell(hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority)).digest()[:10])


def list_names(public_url: str, host: str) -> list[str]:
    """The names and addresses under which this server is called."""
    called = [urlsplit(public_url).hostname or "", host]
    return list(dict.fromkeys(each for each in called if each and each not in {"0.0.0.0", "::"}))  # noqa: S104 - left out


def serving_context(folder: Folder) -> ssl.SSLContext:
    """What uvicorn speaks TLS with. A renewed certificate is shown from the next handshake on, without a restart."""
    read_standing(folder)
    first = latest = _load(folder)
    stamp = folder.server.stat().st_mtime_ns

    def choose(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        nonlocal latest, stamp
        present = folder.server.stat().st_mtime_ns
        if present != stamp:
            latest, stamp = _load(folder), present
        connection.context = latest

    first.sni_callback = choose
    return first


def _load(folder: Folder) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder.server)
    return context


def _move_on(folder: Folder, standing: Standing, now_ms: int) -> Standing | None:
    """The next step of a change where one is due, else None."""
    if len(standing.trusted) == 1:
        left = _read_authority(folder, standing.current).certificate.not_valid_after_utc - read_time(now_ms)
        return _announce(folder, standing, now_ms) if left < timedelta(days=SUCCESSION_DAYS) else None
    if now_ms - standing.since_ms < OVERLAP_DAYS * _DAY_MS:
        return None
    newest = max(standing.trusted)
    if standing.current != newest:
        return _settle(folder, replace(standing, current=newest, since_ms=now_ms))
    return _settle(folder, Standing(standing.version + 1, newest, (newest,), now_ms))


def _announce(folder: Folder, standing: Standing, now_ms: int) -> Standing:
    number = standing.current + 1
    before = _read_authority(folder, standing.current)
    replace_file(folder.authority(number), make_authority(number, now_ms, before=before).pem)
    return _settle(folder, Standing(standing.version + 1, standing.current, (standing.current, number), now_ms))


def _settle(folder: Folder, standing: Standing) -> Standing:
    values = {"version": standing.version, "current": standing.current, "trusted": standing.trusted}
    replace_file(folder.trust, json.dumps(values | {"since_ms": standing.since_ms}).encode())
    replace_file(folder.bundle, "".join(list_authorities(folder)).encode(), mode=0o644)
    return standing


def _issue(folder: Folder, standing: Standing, names: Sequence[str], now_ms: int) -> None:
    replace_file(folder.server, make_server(_read_authority(folder, standing.current), names, now_ms))


def _read_authority(folder: Folder, number: int) -> Authority:
    try:
        return read_authority(folder.authority(number).read_bytes())
    except (OSError, ValueError) as error:
        raise SetupError(f"读不到根证书 {folder.authority(number)}。请从备份恢复证书目录。") from error


@contextlib.contextmanager
def _alone(folder: Folder) -> Iterator[None]:
    """Be the only process that changes the folder; it is made at need."""
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
