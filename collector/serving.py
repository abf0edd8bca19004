"""Runs the centre: `serve` with uvicorn, `work` without a door.

Connections stay open longer than a heartbeat period: a new one costs far more.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from collector.app import create_app
from collector.centre import Centre
from collector.db.engine import Database
from collector.db.sqlite_file import check_pages, held_alone, sqlite_path
from collector.errors import SetupError
from collector.job_runner import JobRunner
from collector.jobs import heard_since, list_jobs
from collector.migrate import require_current
from collector.settings import Settings
from collector.tls import Folder, serving_context
from collector.web.deadlines import DeadlineProtocol
from shared.clock import SystemClock

log = logging.getLogger("yuanjiao.serving")

_MOST_FILES = 65_536
_MANY = (
    "环境变量 WEB_CONCURRENCY={count}：serve 不能再分成多个进程。请去掉它；"
    "需要更多进程时请使用 PostgreSQL，并在不同端口上多开几个 serve。"
)


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises SetupError when the database is taken, damaged or not the newest."""
    _require_one_process()
    with held_alone(settings.database):
        _check(settings)
        asyncio.run(_require_current(settings))
        app = create_app(settings)
        calm_collection()
        allow_connections()
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            http=DeadlineProtocol,
            proxy_headers=settings.behind_proxy,
            forwarded_allow_ips=sorted(settings.proxies),
            workers=1,
            timeout_keep_alive=settings.heartbeat_s * 3,
            timeout_graceful_shutdown=5,
            access_log=False,
            log_level="info",
            server_header=False,
            date_header=False,  # every answer to a station carries the time, signed where that matters
            ssl_context_factory=_speak_tls(settings),
        )


def _speak_tls(settings: Settings) -> Callable[[Any, Any], ssl.SSLContext] | None:
    """How uvicorn comes to its TLS context, None where it speaks plainly."""
    if not settings.speaks_tls:
        return None
    context = serving_context(Folder(settings.tls_folder))
    return lambda _config, _usual: context


def allow_connections() -> None:
    """Open as many files as this process may: each station keeps a connection, and Debian begins with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, _MOST_FILES) if most > 0 else _MOST_FILES, most))


def calm_collection() -> None:
    """Take what start-up has made out of the garbage collector's rounds and let them come more rarely.

    Every push makes hundreds of short-lived objects; with Python's defaults a fifth of the intake's time went into
    looking again and again at libraries that never go away.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def work(settings: Settings) -> None:
    """Do the periodic work beside serving processes until SIGTERM or SIGINT. Raises SetupError on SQLite."""
    if sqlite_path(settings.database) is not None:
        raise SetupError("SQLite 只允许一个进程，定期工作由 serve 自己完成。要单独运行 worker，请改用 PostgreSQL。")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    asyncio.run(_require_current(settings))
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    centre = Centre(settings, Database(settings.database), SystemClock())
    jobs = JobRunner(centre, list_jobs(centre, partial(heard_since, centre)))
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    jobs.start()
    log.info("worker.started pid=%d", os.getpid())
    await ended.wait()
    await jobs.stop()
    await centre.database.close()


def _check(settings: Settings) -> None:
    path = sqlite_path(settings.database)
    if path is not None:
        log.warning("database.checked seconds=%.2f mib=%d", check_pages(path), path.stat().st_size >> 20)


def _require_one_process() -> None:
    """Uvicorn reads this variable of its own accord; several workers of one SQLite file would corrupt it."""
    count = os.environ.get("WEB_CONCURRENCY", "1")
    if count.strip() not in {"", "1"}:
        raise SetupError(_MANY.format(count=count))


async def _require_current(settings: Settings) -> None:
    database = Database(settings.database)
    try:
        await require_current(database)
    except SetupError:
        raise
    except Exception as error:
        message = f"打不开数据库（{type(error).__name__}）。首次使用请先运行：yuanjiao-collector init"
        raise SetupError(message) from error
    finally:
        await database.close()
