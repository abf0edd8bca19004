"""The page of the station agent's releases: what the centre holds, whom it is offered to, how far each station is."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.db.engine import Connection
from collector.errors import BadInputError, CentreError
from collector.people.access import May, Visitor, centre_of, may
from collector.releases import service
from collector.releases.service import Progress, Standing
from collector.web.i18n import msgid
from collector.web.render import renderer_of

router = APIRouter(prefix="/releases")

Technician = Annotated[Visitor, may(May.SET_STATIONS)]
Version = Annotated[str, Form(max_length=20)]

_SHOWN = 100
LOOKS = {
    Standing.FAILED: ("■", "red", msgid("没有换成")),
    Standing.WAITING: ("○", "grey", msgid("等待站点取用")),
    Standing.FETCHING: ("▲", "amber", msgid("正在下载")),
    Standing.DONE: ("●", "green", msgid("已换用")),
    Standing.NONE: ("◇", "blue", msgid("没有发给它")),
}


@router.get("")
async def releases_page(
    request: Request,
    visitor: Technician,
    state: Annotated[str, Query(max_length=20)] = "",
    township: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    return await _page(request, visitor, state=state, township=township)


@router.post("")
async def add(request: Request, visitor: Technician, release: UploadFile) -> Response:
    content = await release.read()

    async def act(connection: Connection, now_ms: int) -> object:
        if not content:
            raise BadInputError("请先选择升级包文件（.release）。")
        return await service.add(
            connection, visitor.district_id, content, keys=None, now_ms=now_ms, person_id=visitor.person.person_id
        )

    return await _do(request, visitor, act)


@router.post("/offer")
async def offer(
    request: Request, visitor: Technician, version: Version, to: Annotated[str, Form(max_length=40)]
) -> Response:
    """Offer a release: `to` is "all", a station's number, or the id of a township."""

    async def act(connection: Connection, now_ms: int) -> object:
        ring = await _list_ring(connection, visitor.district_id, to)
        return await service.offer(
            connection, visitor.district_id, version, ring, now_ms=now_ms, person_id=visitor.person.person_id
        )

    return await _do(request, visitor, act)


@router.post("/withdraw")
async def withdraw(request: Request, visitor: Technician, version: Version) -> Response:
    async def act(connection: Connection, now_ms: int) -> None:
        await service.withdraw(
            connection, visitor.district_id, version, now_ms=now_ms, person_id=visitor.person.person_id
        )

    return await _do(request, visitor, act)


async def _list_ring(connection: Connection, district_id: int, to: str) -> list[int] | None:
    """Numbers of the stations meant; None for all. Raises BadInputError where nobody is."""
    if to == "all":
        return None
    progress = await service.list_progress(connection, district_id)
    ring = [
        each.station.station_id
        for each in progress
        if to in {str(each.station.station_id), str(each.station.township_id)}
    ]
    if not ring:
        raise BadInputError("请先选择一个有站点的乡镇。")
    return ring


async def _do(request: Request, visitor: Visitor, act: Callable[[Connection, int], Awaitable[object]]) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            await act(connection, centre.now_ms)
    except CentreError as problem:
        return await _page(request, visitor, problem=problem)
    return RedirectResponse("/releases", 303)


async def _page(
    request: Request, visitor: Visitor, *, state: str = "", township: str = "", problem: CentreError | None = None
) -> Response:
    async with centre_of(request).database.read() as connection:
        held = await service.list_held(connection, visitor.district_id)
        progress = await service.list_progress(connection, visitor.district_id)
    townships = {each.station.township_id: each.station.township for each in progress}
    wanted = [each for each in progress if _is_wanted(each, state, township)]
    wanted.sort(key=lambda each: list(Standing).index(each.standing))
    return renderer_of(request).page(
        request,
        "releases/releases.html",
        status=problem.status if problem else 200,
        problem=problem,
        held=held,
        running=Counter(each.running for each in progress),
        standings=Counter((each.offered, each.standing) for each in progress),
        standing=Standing,
        looks=LOOKS,
        townships=townships,
        chosen={"state": state, "township": township},
        rows=wanted[:_SHOWN],
        count=len(wanted),
    )


def _is_wanted(progress: Progress, state: str, township: str) -> bool:
    here: UUID = progress.station.township_id
    return state in {"", progress.standing} and township in {"", str(here)}
