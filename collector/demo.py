"""`yuanjiao-collector demo`: the Lizhou district on this machine, for as long as somebody looks.

The centre runs on SQLite in a folder of its own; one real agent watches a real directory into which real films
arrive and are played; 244 virtual stations bring two months of history. Everything is the product itself, started as
its own commands; nothing is left behind.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from collector import setup
from collector.areas import queries as areas
from collector.areas.holidays import list_holidays
from collector.db.engine import Database
from collector.demo_films import FilmShow
from collector.demo_people import people_sheet
from collector.errors import SetupError
from collector.settings import Settings

REAL_STATION = "宝轮镇 爱国社区"
DARK_TOWNSHIP = "白朝乡"
STATIONS = 245
DISTRICT = 510802
HISTORY_DAYS = 62
HEARTBEAT_S = 10
GRACE_S = 15
_START_LIMIT_S = 30


@dataclass(slots=True)
class Stage:
    """The folder and the processes of one demonstration."""

    folder: Path
    settings: Settings
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    films: FilmShow | None = None

    def start(self, *command: str, piped: bool = False) -> subprocess.Popen[str]:
        """Start one of our own commands; it is ended by its own process id. `piped` keeps its output for reading."""
        log = (self.folder / "log.txt").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            text=True,
            env=self.environment,
            stderr=log,
            stdout=subprocess.PIPE if piped else log,
        )
        log.close()
        self.processes.append(process)
        return process

    @property
    def environment(self) -> dict[str, str]:
        values = self.settings
        return os.environ | {
            "YUANJIAO_DATABASE": values.database,
            "YUANJIAO_HOST": values.host,
            "YUANJIAO_PORT": str(values.port),
            "YUANJIAO_PUBLIC_URL": values.public_url,
            "YUANJIAO_HEARTBEAT_S": str(values.heartbeat_s),
            "YUANJIAO_GRACE_S": str(values.grace_s),
            "YUANJIAO_JUDGE_EVERY_S": str(values.judge_every_s),
            "YUANJIAO_PATIENCE": str(values.patience),
            "PYTHONUNBUFFERED": "1",
        }

    def close(self) -> None:
        if self.films is not None:
            self.films.stop()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            if process.poll() is None:
                process.kill()
                process.wait()


def demo(*, seconds: int | None, port: int) -> int:
    """Show the district for `seconds`, or until Ctrl-C. Raises SetupError when it cannot be started."""
    console = Console()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _folder() as folder:
        port = _free_port(port)
        stage = Stage(folder, _settings(folder, port))
        try:
            link = _set_up(stage)
            console.print(f"\n[bold]利州区远程教育 · 演示[/bold]   {stage.settings.public_url}")
            console.print(f"一次性登录链接（点击即可进入）：\n[bold cyan]{link}[/bold cyan]\n", soft_wrap=True)
            _show(stage, console, None if seconds is None else began + seconds)
        except KeyboardInterrupt:
            pass
        finally:
            console.print("正在结束演示……")
            stage.close()
    console.print("演示已结束，没有留下任何文件。")
    return 0


def _set_up(stage: Stage) -> str:
    """Everything up to the running centre, one agent and the fleet. Returns the sign-in link."""
    settings, folder = stage.settings, stage.folder
    made = asyncio.run(setup.init(settings, district_id=DISTRICT, name="利州区", register=None, total=STATIONS))
    asyncio.run(_open_day_and_night(settings))
    codes = asyncio.run(setup.make_codes(settings, district_id=DISTRICT, township=None))
    asyncio.run(setup.import_people(settings, district_id=DISTRICT, content=people_sheet(codes)))
    server = stage.start("collector", "serve")
    _wait_until_ready(server, settings.public_url, folder / "log.txt")
    _start_real_agent(stage, next(code for _, title, code in codes if title == REAL_STATION))
    sheet = "\n".join(["station,title,code", *(",".join(row) for row in codes if row[1] != REAL_STATION)])
    (folder / "codes.csv").write_text(sheet, "utf-8")
    return made.link


async def _open_day_and_night(settings: Settings) -> None:
    """Whoever looks at night must see silent stations as by day."""
    database = Database(settings.database)
    always = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "hours": [["00:00", "23:59"]]}
    async with database.write() as connection:
        own = await areas.get_district_settings(connection, DISTRICT)
        changed: dict[str, object] = {**own, "calendar": {"opening": always, "days": _no_holidays()}}
        await areas.change_district_settings(connection, DISTRICT, changed)
    await database.close()


def _no_holidays() -> dict[str, bool]:
    return {day.isoformat(): True for day, is_worked in list_holidays().items() if not is_worked}


def _start_real_agent(stage: Stage, code: str) -> None:
    agent = stage.folder / "agent"
    courseware, journal = agent / "courseware", agent / "journal"
    courseware.mkdir(parents=True)
    journal.mkdir()
    toml = [
        f"state_dir = {json.dumps(str(agent / 'state'))}",
        f"heartbeat_s = {HEARTBEAT_S}",
        "flush_s = 1",
        f"probes.courseware.directory = {json.dumps(str(courseware))}",
        "probes.courseware.settle_s = 5",
        f"probes.playback.journal_dir = {json.dumps(str(journal))}",
    ]
    (agent / "agent.toml").write_text("\n".join(toml), "utf-8")
    command = ("agent", "--settings", str(agent / "agent.toml"))
    enrolled = stage.start(*command, "enroll", code, "--centre", stage.settings.public_url)
    if enrolled.wait(_START_LIMIT_S) != 0:
        raise SetupError(f"演示站点登记失败：{_tail(stage.folder / 'log.txt')}")
    stage.start(*command, "run")
    script = subprocess.run(
        [sys.executable, "-m", "agent", "player-script"], check=True, capture_output=True, text=True
    ).stdout.strip()
    stage.films = FilmShow(courseware, journal, Path(script))
    stage.films.start()


def _show(stage: Stage, console: Console, until: float | None) -> None:
    """Start the fleet, draw how it joins, then wait."""
    fleet = stage.start(
        *("agent", "fleet", "--centre", stage.settings.public_url, "--codes", str(stage.folder / "codes.csv")),
        *("--state", str(stage.folder / "fleet"), "--days", str(HISTORY_DAYS), "--heartbeat", str(HEARTBEAT_S)),
        *("--dark", DARK_TOWNSHIP),
        piped=True,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("站点接入并补传两个月的记录", total=STATIONS, completed=1)
        threading.Thread(target=_follow, args=(fleet, progress, task), daemon=True, name="fleet-progress").start()
        while not progress.finished and not _is_over(until):
            _require_alive(stage)
            time.sleep(0.2)
    if not _is_over(until):
        console.print(f"{STATIONS} 个站点都已接入。看点：{DARK_TOWNSHIP}整体断线（一张工单）、一台投影机灯泡故障、")
        console.print("一个站点收不到卫星课件、上月报表。按 Ctrl-C 结束。")
    while not _is_over(until):
        _require_alive(stage)
        time.sleep(0.2)


def _follow(fleet: subprocess.Popen[str], progress: Progress, task: TaskID) -> None:
    for line in fleet.stdout or ():
        with contextlib.suppress(ValueError, KeyError):
            progress.update(task, completed=json.loads(line)["joined"] + 1)


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _require_alive(stage: Stage) -> None:
    for process in stage.processes:
        if process.poll() not in {None, 0}:
            raise SetupError(f"演示中的一个程序意外退出：{_tail(stage.folder / 'log.txt')}")


def _wait_until_ready(server: subprocess.Popen[str], url: str, log: Path) -> None:
    limit = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < limit and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SetupError(f"中心没有启动：{_tail(log)}")


def _settings(folder: Path, port: int) -> Settings:
    return Settings(
        database=f"sqlite+aiosqlite:///{folder}/centre.db",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        heartbeat_s=HEARTBEAT_S,
        grace_s=GRACE_S,
        judge_every_s=3,
        patience=0.004,
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="yuanjiao-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port(wanted: int) -> int:
    """The wanted port, or any free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SetupError("没有空闲的端口。")


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-1500:]
