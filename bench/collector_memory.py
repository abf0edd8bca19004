"""Peak memory of a centre under the load of `bench.intake`, as the kernel counts it (VmHWM), in MiB.

Usage: `python -m bench.collector_memory [--pushes 20000] [--only sqlite]`.
"""

import argparse
import asyncio
import contextlib
import os
import re
import tempfile
from pathlib import Path

from nacl.signing import SigningKey

from bench.intake import build_queues, plant_stations, serve_centre
from bench.load import run_load
from bench.report import emit
from tests.postgres import start_postgres

LIMIT_MIB = 250


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def _bench(name: str, url: str, pushes: int) -> None:
    key = SigningKey.generate()
    asyncio.run(plant_stations(url, key))
    queues = build_queues(key, pushes, 5)
    with serve_centre("centre", url) as (port, process):
        idle = _peak_mib(process.pid)
        outcome = asyncio.run(run_load(port, queues))
        peak = _peak_mib(process.pid)
    emit(f"collector_memory.{name}", peak, "MiB", limit=LIMIT_MIB, idle=round(idle), bad=outcome.bad)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pushes", type=int, default=20_000)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if options.only != "postgres":
            _bench("sqlite", f"sqlite+aiosqlite:///{folder}/centre.db", options.pushes)
        if options.only != "sqlite":
            server = stack.enter_context(start_postgres())
            _bench("postgres", server.create("memory"), options.pushes)


if __name__ == "__main__":
    main()
