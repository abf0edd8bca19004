"""Our agent beside other agents from Debian, in one run: RSS in MiB, CPU as a share of one core, bytes of a report.

The peers are unpacked into a folder of this run's own, never installed. A report is what the same host figures weigh
on the way to the other side: a scrape of node_exporter, sixteen items asked of zabbix-agent2, what collectd sends in
an interval; of our agent a heartbeat of a quiet day, as `bench.wire_day` counts it, TLS included there and nowhere
else. Usage: `python -m bench.agent_peers [--seconds 60]`.
"""

import argparse
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench import agent_footprint
from bench.report import emit

SETTLE_S = 10
_ITEMS = (
    "agent.ping",
    "agent.version",
    "system.uptime",
    "system.hostname",
    "system.cpu.load[all,avg1]",
    "system.cpu.load[all,avg5]",
    "system.cpu.util",
    "vm.memory.size[available]",
    "vm.memory.size[total]",
    "vfs.fs.size[/,free]",
    "vfs.fs.size[/,total]",
    "vfs.fs.inode[/,pfree]",
    "system.swap.size[,free]",
    "proc.num",
    "net.if.in[lo]",
    "net.if.out[lo]",
)
_COLLECTD = """
BaseDir "{0}"
PluginDir "{1}"
TypesDB "{2}"
PIDFile "{0}/pid"
Interval 10
LoadPlugin cpu
LoadPlugin load
LoadPlugin memory
LoadPlugin df
LoadPlugin uptime
LoadPlugin network
<Plugin network>
  Server "127.0.0.1" "{3}"
</Plugin>
"""


class MissingError(Exception):
    """The peer cannot be had here."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    sys.argv[1:] = ["--seconds", str(seconds)]
    agent_footprint.main()
    for name, bench in (("node_exporter", _node_exporter), ("zabbix_agent2", _zabbix), ("collectd", _collectd)):
        with tempfile.TemporaryDirectory() as folder:
            try:
                bench(Path(folder), seconds)
            except (MissingError, OSError, subprocess.SubprocessError) as error:
                print(f"{name}: cannot be measured here: {error}", file=sys.stderr)


def _node_exporter(folder: Path, seconds: int) -> None:
    program = _unpack(folder, "prometheus-node-exporter") / "usr/bin/prometheus-node-exporter"
    port = _free_port()
    with _running([str(program), f"--web.listen-address=127.0.0.1:{port}"]) as process:
        _weigh("node_exporter", process, seconds)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            size = len(answer.read()) + len(str(answer.headers))
    emit("agent_peers.node_exporter.report", size, "bytes")


def _zabbix(folder: Path, seconds: int) -> None:
    program = _unpack(folder, "zabbix-agent2") / "usr/sbin/zabbix_agent2"
    port, file = _free_port(), folder / "zabbix.conf"
    lines = ["Server=127.0.0.1", f"ListenPort={port}", "LogType=console", f"PidFile={folder}/pid"]
    file.write_text("\n".join([*lines, f"ControlSocket={folder}/control", "Hostname=bench"]), "utf-8")
    with _running([str(program), "-c", str(file), "-f"]) as process:
        _weigh("zabbix_agent2", process, seconds)
        size = sum(_ask_zabbix(port, item) for item in _ITEMS)
    emit("agent_peers.zabbix_agent2.report", size, "bytes", items=len(_ITEMS))


def _ask_zabbix(port: int, item: str) -> int:
    """Bytes both ways of one passive check."""
    asked = b"ZBXD\x01" + struct.pack("<II", len(item), 0) + item.encode()
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(asked)
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    return len(asked) + len(answer)


def _collectd(folder: Path, seconds: int) -> None:
    root = _unpack(folder, "collectd-core")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(0.1)
        file = folder / "collectd.conf"
        plugins, types = root / "usr/lib/collectd", root / "usr/share/collectd/types.db"
        file.write_text(_COLLECTD.format(folder, plugins, types, ear.getsockname()[1]), "utf-8")
        with _running([str(root / "usr/sbin/collectd"), "-f", "-C", str(file)]) as process:
            heard = _weigh("collectd", process, seconds, ear)
    emit("agent_peers.collectd.report", heard / (seconds / 10), "bytes", interval_s=10)


def _weigh(name: str, process: psutil.Process, seconds: int, ear: socket.socket | None = None) -> int:
    """Emit memory and CPU; returns the bytes that came to `ear` meanwhile."""
    time.sleep(SETTLE_S)
    _listen(ear, 0)
    before = process.cpu_times()
    heard = _listen(ear, seconds)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    emit(f"agent_peers.{name}.rss", process.memory_info().rss / 2**20, "MiB")
    emit(f"agent_peers.{name}.cpu", spent / seconds * 100, "% of a core", seconds=seconds)
    return heard


def _listen(ear: socket.socket | None, seconds: float) -> int:
    if ear is None:
        time.sleep(seconds)
        return 0
    heard, until = 0, time.monotonic() + seconds
    while True:
        with suppress(TimeoutError):
            heard += len(ear.recv(65536))
            continue
        if time.monotonic() >= until:
            return heard


def _unpack(folder: Path, package: str) -> Path:
    """The package's files below `folder`. Raises MissingError where apt does not bring it."""
    command = ["apt-get", "download", package]
    got = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=120)
    found = next(folder.glob("*.deb"), None)
    if got.returncode or found is None:
        raise MissingError(f"apt-get download {package}: {got.stderr.strip()[-200:]}")
    subprocess.run(["dpkg-deb", "-x", found, folder / "root"], check=True, capture_output=True)
    return folder / "root"


@contextmanager
def _running(command: Sequence[str]) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(1)
        if process.poll() is not None:
            told = (process.stderr.read() if process.stderr else "").strip()
            raise MissingError(f"{Path(command[0]).name} does not run: {told[-200:]}")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    """Below 32768, for zabbix-agent2 takes no higher one."""
    for port in range(20_000, 32_768):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise MissingError("no free port")


if __name__ == "__main__":
    main()
