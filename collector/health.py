"""Health for machines: is the process alive, can it serve."""

import shutil

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from collector.centre import Centre
from collector.db.sqlite_file import sqlite_path
from collector.migrate import SchemaAge, compare_schema

router = APIRouter()


@router.get("/healthz", summary="Alive")
async def alive() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Ready to serve: database, schema, disk")
async def ready(request: Request) -> JSONResponse:
    """503 with the reason while the database is away, its schema old or its disk nearly full.

    A newer schema is no reason: this process goes on beside it until it is replaced (decision 0030).
    """
    centre: Centre = request.app.state.centre
    reasons = []
    try:
        if await compare_schema(centre.database) in {SchemaAge.NONE, SchemaAge.OLDER}:
            reasons.append("the schema is not the newest: run yuanjiao-collector migrate")
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        reasons.append(f"the database does not answer: {type(error).__name__}")
    path, floor_mib = sqlite_path(centre.settings.database), centre.settings.free_floor_mib
    if path is not None and shutil.disk_usage(path.parent).free < floor_mib << 20:
        reasons.append(f"less than {floor_mib} MiB free on the database's disk: make room")
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)
