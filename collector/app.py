"""The only wiring of the centre. Reads as its table of contents.

push ─▶ intake ─▶ event log ─▶ usage ─▶ reports        pages: overview · station · tickets · report
└▶ station state ─▶ faults ─▶ tickets ─▶ alerts
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from collector import health
from collector.centre import Centre
from collector.db.engine import Database
from collector.intake.routes import PushDoor
from collector.intake.writer import Writer
from collector.jobs import JobRunner
from collector.overview import pages as overview
from collector.overview import station_pages
from collector.people import pages as people
from collector.people.access import require_declared
from collector.settings import Settings
from collector.stations import routes as enrolment
from collector.tickets import pages as tickets
from collector.usage import pages as usage
from collector.web.shell import fit_shell
from shared.clock import Clock, SystemClock
from shared.wire.v1 import ENROL_PATH

MACHINE = frozenset({ENROL_PATH, "/healthz", "/readyz", "/openapi.json"})


def create_app(settings: Settings, *, clock: Clock | None = None, with_jobs: bool = True) -> FastAPI:
    """The centre as an ASGI application. `with_jobs=False` leaves periodic work to whoever drives the clock."""
    centre = Centre(settings, Database(settings.database), clock or SystemClock())
    writer = Writer(centre)
    jobs = JobRunner(centre, writer)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        writer.start()
        if with_jobs:
            jobs.start()
        yield
        if with_jobs:
            jobs.stop()
        await writer.stop()
        await centre.database.close()

    app = FastAPI(title="Yuanjiao", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.centre = centre
    app.state.writer = writer
    app.state.jobs = jobs
    fit_shell(app, public_url=settings.public_url, zone=settings.zone)
    for part in (enrolment, health, people, overview, station_pages, tickets, usage):
        app.include_router(part.router)
    require_declared(app, machine=MACHINE)
    app.add_middleware(PushDoor, centre=centre, writer=writer)
    return app
