"""The page on which the district's centre says which townships lie next to each other, for rung three of the ladder."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.areas import queries as areas
from collector.areas.neighbours import change_neighbours, read_neighbours
from collector.areas.queries import Area, AreaKind
from collector.errors import CentreError
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.web.render import renderer_of

router = APIRouter(prefix="/neighbours")

_MOST = 200


class NeighboursForm(BaseModel):
    """`others`: the townships next to this one; none means that every other is."""

    township: UUID
    others: Annotated[list[UUID], Field(max_length=_MOST)] = Field(default_factory=list)
    csrf: str = ""


@router.get("")
async def list_neighbours(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], township: Annotated[UUID | None, Query()] = None
) -> Response:
    return await _page(request, visitor, chosen=township)


@router.post("")
async def change(
    request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)], form: Annotated[NeighboursForm, Form()]
) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            await change_neighbours(connection, visitor.district_id, form.township, form.others)
            await people.record(
                connection,
                visitor.district_id,
                person_id=visitor.person.person_id,
                action="neighbours.changed",
                object_=f"area/{form.township}",
                now_ms=centre.now_ms,
            )
    except CentreError as problem:
        return await _page(request, visitor, problem=problem)
    return RedirectResponse("/neighbours?done=1", 303)


async def _page(
    request: Request, visitor: Visitor, *, chosen: UUID | None = None, problem: CentreError | None = None
) -> Response:
    async with centre_of(request).database.read() as connection:
        townships = await areas.list_areas(connection, visitor.district_id, kind=AreaKind.TOWNSHIP)
        settings = await areas.get_district_settings(connection, visitor.district_id)
    near = read_neighbours(settings)
    return renderer_of(request).page(
        request,
        "tickets/neighbours.html",
        status=problem.status if problem else 200,
        lines=[(each, _pick(townships, near.get(each.area_id, frozenset()))) for each in townships],
        townships=townships,
        chosen=next((each for each in townships if each.area_id == chosen), None),
        mine=near.get(chosen, frozenset()) if chosen else frozenset(),
        problem=problem,
        done=request.query_params.get("done"),
    )


def _pick(townships: Sequence[Area], wanted: frozenset[UUID]) -> list[Area]:
    """These, in the official order."""
    return [each for each in townships if each.area_id in wanted]
