"""Who this station is: its name, the centre it belongs to and its private key, in one file only the agent can read."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from nacl.encoding import HexEncoder
from nacl.signing import SigningKey

from agent.errors import NotEnrolledError
from shared.signing import new_key

FILE = "identity.json"
_KEY_FILE = "key"


@dataclass(frozen=True, slots=True)
class Identity:
    """`station` as on the wire, `title` as people say it (乡镇 村), `centre` its address."""

    station: str
    title: str
    centre: str
    key: SigningKey


def load_or_make_key(state_dir: Path) -> SigningKey:
    """The key of this machine, made at first need.

    It is written before it is ever used, so that a code tried twice brings the same key twice.
    """
    path = state_dir / _KEY_FILE
    if not path.exists():
        _write(path, new_key().encode(HexEncoder))
    return SigningKey(path.read_bytes().strip(), HexEncoder)


def save_identity(state_dir: Path, *, station: str, title: str, centre: str) -> None:
    text = json.dumps({"station": station, "title": title, "centre": centre}, ensure_ascii=False)
    _write(state_dir / FILE, text.encode())


def load_identity(state_dir: Path) -> Identity:
    """The identity given at enrolment. Raises NotEnrolledError when there is none."""
    try:
        values = json.loads((state_dir / FILE).read_bytes())
        key = SigningKey((state_dir / _KEY_FILE).read_bytes().strip(), HexEncoder)
        return Identity(values["station"], values["title"], values["centre"], key)
    except (OSError, ValueError, KeyError) as error:
        raise NotEnrolledError from error


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
