"""A release: one file that makes a station's agent a newer one, carried by the link or on a stick.

    {"release": "<manifest as JSON>", "signatures": {"<key id>": "<128 hex digits>"}}
    <zip with agent/, shared/ and __main__.py>

The first line proves the rest: release keys, which no centre holds, sign the manifest's very text, and the manifest
binds size and SHA-256 of what follows. Nothing in it depends on a clock: a village's may stand in 1970.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.signing import key_id
from shared.wire.v1 import Hash, Milliseconds, Open

SUFFIX = ".release"
MAX_HEADER_BYTES = 16 * 1024
MAX_PAYLOAD_BYTES = 32 * 1024 * 1024

VersionText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$")]


class BadRelease(Exception):  # noqa: N818 - the fact itself, as callers read it
    """这个文件不是可用的升级包。"""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class Manifest(Open):
    """What a release is. `minimum_from` is the oldest version that may take it, `created` the signer's time, epoch ms.

    `needs` names packages of other makers with the oldest version that does: a release brings none, so a station that
    lacks one takes the Debian package instead.
    """

    product: Literal["yuanjiao-agent"]
    version: VersionText
    minimum_from: VersionText = "0.0.0"
    created: Milliseconds
    size: Annotated[int, Field(ge=1, le=MAX_PAYLOAD_BYTES)]
    sha256: Hash
    needs: dict[str, str] = Field(default_factory=dict)


class ReleaseKeys(BaseModel):
    """Public halves of the release keys, and how many of them must have signed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: Annotated[list[Hash], Field(min_length=1, max_length=16)]
    needed: Annotated[int, Field(ge=1, le=16)] = 1


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    release: Annotated[str, StringConstraints(max_length=MAX_HEADER_BYTES)]
    signatures: dict[str, Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]]


@dataclass(frozen=True, slots=True)
class Header:
    """First line of a release: the manifest, its very text, and signatures by key id. Nothing is proven by it yet."""

    manifest: Manifest
    text: str
    signatures: Mapping[str, str]

    def dump(self) -> bytes:
        """The line, with its line feed."""
        line = {"release": self.text, "signatures": dict(self.signatures)}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def sign(self, keys: Sequence[SigningKey]) -> "Header":
        """The same with these keys' signatures beside those it has."""
        added = {key_id(bytes(key.verify_key)): key.sign(_signed(self.text)).signature.hex() for key in keys}
        return Header(self.manifest, self.text, {**self.signatures, **added})


def describe(payload: bytes, *, version: str, minimum_from: str, created: int, needs: Mapping[str, str]) -> Header:
    """An unsigned header for a payload."""
    values: dict[str, Any] = {
        "product": "yuanjiao-agent",
        "version": version,
        "minimum_from": minimum_from,
        "created": created,
        "size": len(payload),
        "sha256": hashlib.sha256(payload).hexdigest(),
        "needs": dict(needs),
    }
    manifest = Manifest.model_validate(values)
    return Header(manifest, json.dumps(values, ensure_ascii=False, separators=(",", ":")), {})


def read_header(line: bytes) -> Header:
    """The first line of a release. Raises BadRelease; proves nothing."""
    if len(line) > MAX_HEADER_BYTES:
        raise BadRelease
    try:
        read = _Line.model_validate_json(line)
        return Header(Manifest.model_validate_json(read.release), read.release, read.signatures)
    except ValidationError as error:
        raise BadRelease from error


def require_signed(header: Header, trusted: ReleaseKeys) -> Manifest:
    """The manifest, once enough of the trusted keys have signed it. Raises BadRelease."""
    good = sum(_has_signed(header, bytes.fromhex(key)) for key in set(trusted.keys))
    if good < trusted.needed:
        raise BadRelease(f"升级包的签名不对（需要 {trusted.needed} 个可信签名，只有 {good} 个）。请向区中心重新拷贝。")
    return header.manifest


def split_release(content: bytes) -> tuple[Header, bytes]:
    """Header and payload of a whole file. Raises BadRelease when the payload is not the one the manifest names."""
    line, _, payload = content.partition(b"\n")
    header = read_header(line)
    if len(payload) != header.manifest.size or hashlib.sha256(payload).hexdigest() != header.manifest.sha256:
        raise BadRelease("升级包不完整或已损坏。请重新拷贝。")
    return header, payload


def read_keys(file: Path) -> ReleaseKeys | None:
    """The release keys this machine trusts, None where no file names any. Raises BadRelease for one with faults."""
    try:
        return ReleaseKeys.model_validate(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadRelease(f"发行公钥文件 {file} 不能用。请重新安装站点程序的安装包。") from error


def read_version(text: str) -> tuple[int, ...]:
    """`0.10.2` as numbers that compare."""
    return tuple(int(part) if part.isdecimal() else 0 for part in text.split("."))


def _has_signed(header: Header, public_key: bytes) -> bool:
    signature = header.signatures.get(key_id(public_key))
    if signature is None:
        return False
    try:
        VerifyKey(public_key).verify(_signed(header.text), bytes.fromhex(signature))
    except (BadSignatureError, ValueError):
        return False
    return True


def _signed(text: str) -> bytes:
    return b"yuanjiao-release-1\n" + text.encode()
