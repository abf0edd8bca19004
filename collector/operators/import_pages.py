"""Takes people from an Excel list: the file is chosen, every row is shown with what it would do, then all are written.

Between the two steps the file lies in the page itself, so nothing half done is kept anywhere.
"""

import asyncio
import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from collector.errors import BadInputError
from collector.operators import importing
from collector.operators.importing import Fate, Field, Proposal
from collector.operators.lists import LARGEST, read_list
from collector.operators.pages import Manager, list_classes
from collector.people.access import Visitor, centre_of
from collector.web.i18n import msgid
from collector.web.render import renderer_of

router = APIRouter(prefix="/operators/import")

_FATES = {
    Fate.NEW: (msgid("新增"), "●", "green"),
    Fate.CHANGED: (msgid("修改"), "◇", "blue"),
    Fate.SAME: (msgid("不变"), "○", "grey"),
    Fate.WRONG: (msgid("要改正"), "■", "red"),
}


class Uploaded(BaseModel):
    list: UploadFile
    csrf: str = ""


class Confirmed(BaseModel):
    """`content` is the file, as the page kept it."""

    content: str = ""
    csrf: str = ""


@router.get("")
async def choose(request: Request, _visitor: Manager) -> Response:
    return _page(request)


@router.post("")
async def preview(request: Request, visitor: Manager, form: Annotated[Uploaded, Form()]) -> Response:
    """What every row would do; nothing is written."""
    content = await form.list.read(LARGEST + 1)
    try:
        proposals = await _propose(request, visitor, content)
    except BadInputError as problem:
        return _page(request, problem=problem)
    return _page(request, proposals=proposals, content=base64.b64encode(content).decode())


@router.post("/apply")
async def apply(request: Request, visitor: Manager, form: Annotated[Confirmed, Form()]) -> Response:
    """Write all rows, in one transaction, as they stand against the archive now."""
    centre = centre_of(request)
    try:
        lines = await asyncio.to_thread(read_list, _decode(form.content))
        async with centre.database.write() as connection:
            proposals = await importing.propose(connection, visitor.district_id, lines, _field(visitor))
            mine = visitor.person.person_id
            await importing.take_in(connection, visitor.district_id, proposals, person_id=mine, now_ms=centre.now_ms)
    except BadInputError as problem:
        return _page(request, problem=problem)
    return _page(request, proposals=proposals, is_done=True)


async def _propose(request: Request, visitor: Visitor, content: bytes) -> list[Proposal]:
    lines = await asyncio.to_thread(read_list, content)
    async with centre_of(request).database.read() as connection:
        return await importing.propose(connection, visitor.district_id, lines, _field(visitor))


def _field(visitor: Visitor) -> Field:
    return Field(
        frozenset(list_classes(visitor)),
        lambda station_id, township_id: visitor.sees(station_id=station_id, township_id=township_id),
    )


def _decode(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise BadInputError("这个文件打不开。请在 WPS 或 Excel 中另存为 .xlsx 后再上传。") from error


def _page(
    request: Request,
    *,
    proposals: list[Proposal] | None = None,
    content: str = "",
    is_done: bool = False,
    problem: BadInputError | None = None,
) -> Response:
    counts = {fate: sum(each.fate is fate for each in proposals or ()) for fate in Fate}
    return renderer_of(request).page(
        request,
        "operators/import.html",
        status=problem.status if problem else 200,
        proposals=proposals,
        counts=counts,
        fates=_FATES,
        content=content,
        is_done=is_done,
        problem=problem,
    )
