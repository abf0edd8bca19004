"""Releases of tests: the agent of this very source under other versions, with a bug where one is wanted."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from nacl.signing import SigningKey

from shared.release import ReleaseKeys, describe

ROOT = Path(__file__).parents[1]
KEY = SigningKey(b"release key of the tests, 32 byt")
OTHER_KEY = SigningKey(b"another key that nobody trusts..")
KEYS = ReleaseKeys(keys=[bytes(KEY.verify_key).hex()])
START = "from agent.__main__ import main\n\nraise SystemExit(main())\n"
CREATED = 1_788_000_000_000


def pack(files: Mapping[str, str | bytes]) -> bytes:
    """A payload of these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def make_release(
    version: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    keys: tuple[SigningKey, ...] = (KEY,),
    minimum_from: str = "0.0.0",
    needs: Mapping[str, str] | None = None,
) -> bytes:
    """A whole release. Without `files` it is small, and its program does nothing."""
    payload = pack(files or {"__main__.py": "", "agent/version.py": f'VERSION = "{version}"\n'})
    header = describe(payload, version=version, minimum_from=minimum_from, created=CREATED, needs=needs or {})
    return header.sign(keys).dump() + payload


def read_source(version: str, changes: Mapping[str, tuple[str, str]] | None = None) -> dict[str, str | bytes]:
    """The real agent under another version; `changes` maps a file to what is replaced in it by what."""
    files: dict[str, str | bytes] = {"__main__.py": START}
    for part in ("agent", "shared"):
        for file in sorted((ROOT / part).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and "samples" not in file.parts:
                files[file.relative_to(ROOT).as_posix()] = file.read_bytes()
    files["agent/version.py"] = f'VERSION = "{version}"\n'
    for name, (old, new) in (changes or {}).items():
        text = files[name]
        assert isinstance(text, bytes)
        assert old.encode() in text, f"{name} no longer holds {old!r}"
        files[name] = text.replace(old.encode(), new.encode(), 1)
    return files
