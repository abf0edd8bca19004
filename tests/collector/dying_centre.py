"""A centre killed between the commit of its first push and the answer: `python -m tests.collector.dying_centre`.

Database and port come from the environment, as for `serve`.
"""

import os
import signal

import uvicorn

from collector.app import create_app
from collector.intake.service import Received
from collector.intake.writer import Writer
from collector.settings import Settings
from shared.wire.v1 import Answer

_submit = Writer.submit


async def _submit_and_die(writer: Writer, received: Received) -> Answer:
    await _submit(writer, received)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    setattr(Writer, "submit", _submit_and_die)  # noqa: B010 - mypy rightly lets nobody assign to a method
    settings = Settings()
    uvicorn.run(create_app(settings, with_jobs=False), port=settings.port, log_level="warning")
