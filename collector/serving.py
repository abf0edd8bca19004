"""Serves the centre with uvicorn. Connections stay open longer than a heartbeat period: a new one costs far more."""

import asyncio

import uvicorn

from collector.app import create_app
from collector.db.engine import Database
from collector.errors import SetupError
from collector.migrate import is_current
from collector.settings import Settings


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises SetupError when the schema is not the newest."""
    asyncio.run(_require_current(settings))
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        timeout_keep_alive=settings.heartbeat_s * 3,
        timeout_graceful_shutdown=10,
        access_log=False,
        log_level="info",
        server_header=False,
    )


async def _require_current(settings: Settings) -> None:
    database = Database(settings.database)
    try:
        current = await is_current(database)
    except Exception as error:
        message = f"打不开数据库（{type(error).__name__}）。首次使用请先运行：yuanjiao-collector init"
        raise SetupError(message) from error
    finally:
        await database.close()
    if not current:
        raise SetupError("数据库版本较旧。请先运行：yuanjiao-collector migrate")
