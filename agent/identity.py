"""Who this station is and whom it trusts: files in the state folder that only the agent can read.

The key, the name and the centre; the centre's public key and authorities; the lease, which shows that there is one
holder of all this and not two.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacl.encoding import HexEncoder
from nacl.signing import SigningKey

from agent.durable import make_folder, sync_folder
from agent.errors import NotEnrolledError
from shared.signing import new_key

FILE = "identity.json"
CA_FILE = "ca.pem"
_KEY_FILE = "key"
_NEXT_KEY_FILE = "key.next"
_LEASE_FILE = "lease"
_TRUST_FILE = "trust"


@dataclass(frozen=True, slots=True)
class Identity:
    """`station` as on the wire, `title` as people say it (乡镇 村), `centre` its address.

    `centre_key` is the public key the centre signs with, None where it has none.
    """

    station: str
    title: str
    centre: str
    key: SigningKey
    centre_key: bytes | None = None


@dataclass(slots=True)
class Keeping:
    """What the uplink must remember between pushes, durable before it is used. Without a folder: for this run only."""

    folder: Path | None = None
    lease: str = field(init=False, default="")
    trust: int = field(init=False, default=0)
    """Version of the authorities in `CA_FILE`."""

    def __post_init__(self) -> None:
        self.lease = self._read(_LEASE_FILE)
        self.trust = int(self._read(_TRUST_FILE) or 0)

    def keep_lease(self, lease: str) -> None:
        """Raises OSError when the disk does not take it; the old lease then stays in use."""
        if self.folder is not None:
            _overwrite(self.folder / _LEASE_FILE, lease.encode())
        self.lease = lease

    def keep_trust(self, version: int, authorities: Sequence[str]) -> None:
        """Raises OSError when the disk does not take it."""
        if self.folder is not None:
            _write(self.folder / CA_FILE, "".join(authorities).encode())
            _write(self.folder / _TRUST_FILE, str(version).encode())
        self.trust = version

    def _read(self, name: str) -> str:
        """A short word from a file; empty when there is none or it is damaged."""
        try:
            text = "" if self.folder is None else (self.folder / name).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return text if text.isalnum() else ""


def key_for_code(state_dir: Path, code: str) -> SigningKey:
    """The key that is to be enrolled with this code, made at first need.

    It is written before it is ever used, so that a code tried twice brings the same key twice. Another code brings a
    new key: that is how a person decides between two copies of one machine.
    """
    if _read_values(state_dir).get("code") == _digest(code):
        return SigningKey((state_dir / _KEY_FILE).read_bytes().strip(), HexEncoder)
    path = state_dir / f"{_KEY_FILE}.{_digest(code)}"
    if not path.exists():
        _write(path, new_key().encode(HexEncoder))
    return SigningKey(path.read_bytes().strip(), HexEncoder)


def load_or_make_next_key(state_dir: Path) -> SigningKey:
    """The key that is to follow the present one, made at first need and kept until `promote_key`."""
    path = state_dir / _NEXT_KEY_FILE
    if not path.exists():
        _write(path, new_key().encode(HexEncoder))
    return SigningKey(path.read_bytes().strip(), HexEncoder)


def has_next_key(state_dir: Path) -> bool:
    return (state_dir / _NEXT_KEY_FILE).exists()


def promote_key(state_dir: Path) -> None:
    """Make the next key the present one, for good."""
    (state_dir / _NEXT_KEY_FILE).replace(state_dir / _KEY_FILE)
    sync_folder(state_dir)


def pinned_ca(state_dir: Path, ca_file: Path | None) -> Path | None:
    """The authorities to hold the centre against: those kept since enrolment, else the file the settings name."""
    kept = state_dir / CA_FILE
    return kept if kept.exists() else ca_file


def save_identity(state_dir: Path, *, code: str, station: str, title: str, centre: str, centre_key: str = "") -> None:
    """Become the station that `code` stands for, with the key made for it. A power cut leaves the old or the new."""
    key = key_for_code(state_dir, code)
    values = {"station": station, "title": title, "centre": centre, "centre_key": centre_key, "code": _digest(code)}
    _write(state_dir / _KEY_FILE, key.encode(HexEncoder))
    _write(state_dir / FILE, json.dumps(values, ensure_ascii=False).encode())
    for name in (f"{_KEY_FILE}.{_digest(code)}", _NEXT_KEY_FILE):
        (state_dir / name).unlink(missing_ok=True)


def load_identity(state_dir: Path) -> Identity:
    """The identity given at enrolment. Raises NotEnrolledError when there is none."""
    try:
        values = json.loads((state_dir / FILE).read_bytes())
        key = SigningKey((state_dir / _KEY_FILE).read_bytes().strip(), HexEncoder)
        centre_key = bytes.fromhex(values.get("centre_key", "")) or None
        return Identity(values["station"], values["title"], values["centre"], key, centre_key)
    except (OSError, ValueError, KeyError) as error:
        raise NotEnrolledError from error


def _read_values(state_dir: Path) -> dict[str, Any]:
    try:
        values = json.loads((state_dir / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _digest(code: str) -> str:
    """A name for a code that does not give it away."""
    return hashlib.sha256(f"yuanjiao-code {code}".encode()).hexdigest()[:16]


def _overwrite(path: Path, content: bytes) -> None:
    """As `_write`, for a few bytes of the same length each time: one sector changes, which disks do whole or not."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        _write(path, content)
        return
    try:
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step that survives a power cut."""
    make_folder(path.parent)
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)
