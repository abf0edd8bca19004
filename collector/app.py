"""The only wiring of the centre. Reads as its table of contents.

push ─▶ intake ─▶ event log ─▶ usage ─▶ reports        pages: overview · station · tickets · report
└▶ station state ─▶ faults ─▶ tickets ─▶ alerts
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from collector import health
from collector.alerts import pages as alerts
from collector.alerts import routes as receipts
from collector.alerts.receipts import PATH as RECEIPTS_PATH
from collector.centre import Centre
from collector.db.engine import Database
from collector.directions import pages as direction_pages
from collector.directions import routes as directions
from collector.faults import pages as faults
from collector.figures import pages as figures
from collector.intake.routes import PushDoor
from collector.intake.writer import Writer
from collector.job_runner import Job, JobRunner
from collector.jobs import list_duties, list_jobs
from collector.machine_api import complete
from collector.operators import import_pages
from collector.operators import pages as operators
from collector.overview import pages as overview
from collector.overview import station_pages
from collector.people import pages as people
from collector.people.access import require_declared
from collector.releases import pages as release_pages
from collector.releases import routes as releases
from collector.seal import load_seal
from collector.settings import Settings
from collector.stations import routes as enrolment
from collector.tickets import neighbour_pages, photo_pages
from collector.tickets import pages as tickets
from collector.usage import pages as usage
from collector.web.shell import fit_shell
from shared.clock import Clock, SystemClock
from shared.wire.directions import SETTINGS_PATH
from shared.wire.releases import PAYLOAD_PATH, RELEASE_PATH
from shared.wire.v1 import ENROL_PATH, PATH, ROTATE_PATH, TRUST_PATH

MACHINE = frozenset(
    {
        ENROL_PATH,
        ROTATE_PATH,
        TRUST_PATH,
        SETTINGS_PATH,
        RELEASE_PATH,
        PAYLOAD_PATH,
        RECEIPTS_PATH,
        "/healthz",
        "/readyz",
        "/openapi.json",
    }
)


class CentreApp(FastAPI):
    """FastAPI for people and tools; pushes go through a door of their own, past routing and middleware."""

    def __init__(self, door: PushDoor, **options: Any) -> None:
        super().__init__(**options)
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """As FastAPI knows it, with what only the machine interface knows; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def create_app(settings: Settings, *, clock: Clock | None = None, with_jobs: bool = True) -> FastAPI:
    """The centre as an ASGI application. `with_jobs=False` leaves periodic work to whoever drives the clock."""
    seal = load_seal(settings.tls_folder)
    centre = Centre(settings, Database(settings.database), clock or SystemClock(), seal)
    writer = Writer(centre)
    door = PushDoor(centre, writer)
    jobs = JobRunner(centre, _list_work(centre, writer, door))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        writer.start()
        if with_jobs:
            jobs.start()
        yield
        if with_jobs:
            await jobs.stop()
        await writer.stop()
        await door.refusals.close()
        await centre.database.close()

    app = CentreApp(door, title="Yuanjiao", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.centre = centre
    app.state.writer = writer
    app.state.jobs = jobs
    fit_shell(app, public_url=settings.public_url, zone=settings.zone)
    for part in (
        enrolment,
        directions,
        direction_pages,
        release_pages,
        releases,
        health,
        people,
        overview,
        station_pages,
        operators,
        import_pages,
        photo_pages,
        neighbour_pages,
        tickets,
        alerts,
        receipts,
        usage,
        figures,
        faults,
    ):
        app.include_router(part.router)
    require_declared(app, machine=MACHINE)
    return app


def _list_work(centre: Centre, writer: Writer, door: PushDoor) -> list[Job]:
    """What this process does from time to time. Its own intake knows since when it has been hearing stations."""

    async def ready_since() -> int:
        return writer.ready_since_ms

    return [*list_duties(centre, door.refusals), *(list_jobs(centre, ready_since) if centre.settings.run_jobs else [])]
