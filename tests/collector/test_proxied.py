"""The centre behind a real nginx, set up as docs/centre.md says: stations come through, and who they are is known."""

import asyncio
import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from agent.enrolment import enrol, pin
from agent.identity import Keeping, load_identity, pinned_ca
from agent.probes.base import Fact
from agent.spool import Spool
from agent.transport import HttpTransport
from agent.uplink import Uplink
from collector import tls
from collector.db.engine import Database
from collector.seal import make_key
from collector.stations import service
from collector.tls import Folder
from shared.clock import SystemClock, wall_ms
from tests.collector.test_killed_answering import LIVING, listens, on_a_port
from tests.collector.test_processes import ask, wait_for
from tests.districts import LIZHOU, plant_district

DOCS = Path(__file__).parents[2] / "docs"
SET_UP = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
FORGED = {"X-Forwarded-For": "203.0.113.9"}


@contextlib.contextmanager
def nginx(folder: Path, set_up: str, port: int) -> Iterator[None]:
    """A proxy with this set-up; what it writes stays in `folder`."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    log = f"error_log {folder}/error.log;"
    whole = f"user root; daemon off; pid {folder}/pid; {log} events {{}} http {{ access_log off; {paths} {set_up} }}"
    file = folder / "nginx.conf"
    file.write_text(whole, "utf-8")
    process = subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-e", folder / "error.log", "-c", file])
    try:
        wait_for(lambda: listens(port))
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def set_up_for(*, port: int, centre: int, folder: Path) -> str:
    """What the page says, for these ports and this folder; the second centre of the page is down."""
    told = "".join(SET_UP.findall((DOCS / "centre.md").read_text("utf-8")))
    changes = {
        "listen 443": f"listen 127.0.0.1:{port}",
        "/var/lib/yuanjiao/tls": str(folder),
        "127.0.0.1:8441": f"127.0.0.1:{centre}",
        "127.0.0.1:8442": f"127.0.0.1:{free_port()}",
    }
    for old, new in changes.items():
        assert old in told
        told = told.replace(old, new)
    return told


async def plant(url: str) -> str:
    """A district of one station; the code for it."""
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    async with database.write() as connection:
        code = await service.new_code(connection, LIZHOU, 1, now_ms=wall_ms())
    await database.close()
    return code


def push_a_note(folder: Path, url: str, code: str, fingerprint: str) -> bool:
    """The life of a station: code and fingerprint from the sheet, one record, one push."""
    pin(url, folder, fingerprint=fingerprint)
    now = SystemClock().now()
    with (
        closing(HttpTransport(url, pinned_ca(folder, None))) as link,
        closing(Spool(folder / "spool", now)) as spool,
    ):
        enrol(code, centre=url, transport=link, state_dir=folder)
        spool.append([Fact("note", {"text": "甲"})], now, memo={})
        identity = load_identity(folder)
        return Uplink(identity, link, spool, dict, heartbeat_s=300, flush_s=30, keeping=Keeping(folder)).push(now)


def test_both_languages_show_the_same_set_up() -> None:
    pages = [(DOCS / name).read_text("utf-8") for name in ("centre.md", "centre.zh-CN.md")]
    assert SET_UP.findall(pages[0]) == SET_UP.findall(pages[1])


def test_a_station_comes_through_and_a_visitor_is_known_by_the_address_it_has(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    port, certificates = free_port(), Folder(tmp_path / "tls")
    url = f"https://127.0.0.1:{port}"
    make_key(certificates.path)
    tls.found(certificates, names=["127.0.0.1"], now_ms=wall_ms())
    code = asyncio.run(plant(sqlite_url))
    monkeypatch.setenv("YUANJIAO_TLS_DIR", str(certificates.path))
    monkeypatch.setenv("YUANJIAO_PUBLIC_URL", url)
    monkeypatch.setenv("YUANJIAO_BEHIND_PROXY", "true")

    with on_a_port(LIVING, sqlite_url) as (_, address):
        set_up = set_up_for(port=port, centre=httpx.URL(address).port or 0, folder=certificates.path)
        with nginx(tmp_path, set_up, port):
            pushed = push_a_note(
                tmp_path / "station", url, code, tls.fingerprint(tls.list_authorities(certificates)[0])
            )
            trust = ssl.create_default_context(cafile=str(certificates.bundle))
            elsewhere = httpx.HTTPTransport(verify=trust, local_address="127.0.0.2")
            with httpx.Client(base_url=url, transport=elsewhere, timeout=60) as visitor:
                large = visitor.post("/login", content=bytes(2 << 20))
                visitor.get("/a/forged", headers=FORGED)
    told = capfd.readouterr().err
    assert pushed
    assert ask(sqlite_url, "SELECT kind FROM events ORDER BY seq") == [("stream.opened",), ("note",)]
    assert large.status_code != 413
    assert "link.forged host=127.0.0.2" in told


def test_nobody_is_believed_where_there_is_no_proxy(sqlite_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(plant(sqlite_url))
    with on_a_port(LIVING, sqlite_url) as (_, address):
        httpx.get(httpx.URL(address).join("/a/forged"), headers=FORGED, timeout=60)
    assert "link.forged host=127.0.0.1" in capfd.readouterr().err
