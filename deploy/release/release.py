"""Makes release keys, builds releases and signs them. Signing is done on a machine without a network.

    python deploy/release/release.py key KEY_FILE               a new key; prints the line of release_keys.toml
    python deploy/release/release.py build FILE [--from 0.1.0]  the agent of this source, unsigned
    python deploy/release/release.py sign FILE KEY_FILE         adds a signature
    python deploy/release/release.py show FILE                  what it is and who has signed it
    python deploy/release/release.py check KEYS_FILE            whether release_keys.toml can be used

Who holds a key and what happens when one is lost: docs/decisions/0026-signed-releases-on-probation.md.
"""

import argparse
import io
import os
import sys
import time
import zipfile
from importlib import metadata
from pathlib import Path

from nacl.encoding import HexEncoder
from nacl.signing import SigningKey
from packaging.requirements import Requirement

from shared.release import describe, read_keys, split_release

ROOT = Path(__file__).parents[2]
START = """from agent.__main__ import main

raise SystemExit(main())
"""


def make_key(file: Path) -> str:
    """Write a new private key that only its owner can read; returns the public half."""
    key = SigningKey.generate()
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as kept:
        kept.write(key.encode(HexEncoder) + b"\n")
    return bytes(key.verify_key).hex()


def read_key(file: Path) -> SigningKey:
    return SigningKey(file.read_bytes().strip(), HexEncoder)


def pack(root: Path) -> bytes:
    """The payload: what the agent is made of, the same bytes for the same source."""
    content = io.BytesIO()
    files = sorted(file for part in ("agent", "shared") for file in (root / part).rglob("*") if file.is_file())
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(_entry("__main__.py"), START)
        for file in files:
            if "__pycache__" not in file.parts:
                archive.writestr(_entry(file.relative_to(root).as_posix()), file.read_bytes())
    return content.getvalue()


def list_needs() -> dict[str, str]:
    """Packages of other makers that the agent needs, with the oldest version that does."""
    needs = {}
    for text in metadata.requires("yuanjiao") or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "agent"}):
            needs[requirement.name] = max((each.version for each in requirement.specifier), default="0")
    return needs


def build(file: Path, *, version: str, minimum_from: str, root: Path = ROOT) -> None:
    payload = pack(root)
    created = int(os.environ.get("SOURCE_DATE_EPOCH", time.time())) * 1000
    header = describe(payload, version=version, minimum_from=minimum_from, created=created, needs=list_needs())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(header.dump() + payload)


def sign(file: Path, key: SigningKey) -> None:
    header, payload = split_release(file.read_bytes())
    file.write_bytes(header.sign([key]).dump() + payload)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def main() -> None:
    from agent.version import VERSION  # noqa: PLC0415 - only `build` needs the agent beside it

    parser = argparse.ArgumentParser(description="Release keys, releases, signatures.")
    parser.add_argument("act", choices=("key", "build", "sign", "show", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("key", type=Path, nargs="?")
    parser.add_argument("--from", dest="minimum_from", default="0.1.0", help="oldest version that may take it")
    options = parser.parse_args()
    if options.act == "key":
        sys.stdout.write(f'"{make_key(options.file)}",\n')
    elif options.act == "build":
        build(options.file, version=VERSION, minimum_from=options.minimum_from)
    elif options.act == "sign":
        if options.key is None:
            parser.error("name the file of the key")
        sign(options.file, read_key(options.key))
    elif options.act == "check":
        if read_keys(options.file) is None:
            parser.error(f"there is no {options.file}")
    else:
        header, _ = split_release(options.file.read_bytes())
        sys.stdout.write(f"{header.text}\nsigned by: {', '.join(header.signatures) or 'nobody'}\n")


if __name__ == "__main__":
    main()
