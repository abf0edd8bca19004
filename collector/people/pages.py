"""Signing in, signing out, the one-time link, the choice of language."""

from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.errors import CentreError
from collector.people import queries, service
from collector.people.access import May, Visitor, centre_of, everybody, may
from collector.web.i18n import COOKIE as LANGUAGE_COOKIE
from collector.web.i18n import pick_language
from collector.web.render import renderer_of

router = APIRouter()


@router.get("/signin")
async def sign_in_page(
    request: Request, visitor: Annotated[Visitor | None, everybody()], next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    if visitor is not None:
        return RedirectResponse(inside(next_), 303)
    return renderer_of(request).page(request, "people/sign_in.html", next=inside(next_), account="", problem=None)


@router.post("/signin", dependencies=[everybody()])
async def sign_in(
    request: Request,
    account: Annotated[str, Form(max_length=80)],
    password: Annotated[str, Form(max_length=1000)],
    next_: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            attempt = await service.begin_attempt(connection, account, now_ms=centre.now_ms)
        person = await service.check_password(attempt, password)
        async with centre.database.write() as connection:
            token = await service.open_session(connection, person, now_ms=centre.now_ms, how="password")
    except CentreError as problem:
        return renderer_of(request).page(
            request, "people/sign_in.html", status=problem.status, next=inside(next_), account=account, problem=problem
        )
    return _signed_in(request, token, inside(next_))


@router.post("/signout")
async def sign_out(request: Request, visitor: Annotated[Visitor, may(May.SEE)]) -> Response:
    del visitor
    async with centre_of(request).database.write() as connection:
        await service.end_session(connection, request.cookies[service.COOKIE])
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(service.COOKIE)
    return answer


@router.get("/signin/link/{token}", dependencies=[everybody()])
async def link_page(request: Request, token: str) -> Response:
    """Shows a button only: scanners of mail and chat open every link, and must not use this one up."""
    return renderer_of(request).page(request, "people/link.html", token=token)


@router.post("/signin/link/{token}", dependencies=[everybody()])
async def use_link(request: Request, token: str) -> Response:
    centre = centre_of(request)
    async with centre.database.write() as connection:
        person, session = await service.use_link(connection, token, now_ms=centre.now_ms)
        known = await queries.has_password(connection, person.district_id, person.person_id)
    return _signed_in(request, session, "/" if known else "/account")


@router.get("/account")
async def account_page(request: Request, visitor: Annotated[Visitor, may(May.SEE)]) -> Response:
    return renderer_of(request).page(request, "people/account.html", account=visitor.person.account or "", problem=None)


@router.post("/account")
async def set_account(
    request: Request,
    visitor: Annotated[Visitor, may(May.SEE)],
    account: Annotated[str, Form(max_length=80)],
    password: Annotated[str, Form(max_length=1000)],
) -> Response:
    centre = centre_of(request)
    try:
        password_hash = await service.hash_password(account, password)
        async with centre.database.write() as connection:
            token = await service.set_account(
                connection, visitor.person, account=account, password_hash=password_hash, now_ms=centre.now_ms
            )
    except CentreError as problem:
        return renderer_of(request).page(
            request, "people/account.html", status=problem.status, account=account, problem=problem
        )
    return _signed_in(request, token, "/")


@router.post("/language")
async def choose_language(
    request: Request,
    visitor: Annotated[Visitor | None, everybody()],
    language: Annotated[str, Form()],
    back: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    chosen = pick_language(language)
    if visitor is not None:
        async with centre_of(request).database.write() as connection:
            await queries.change_language(connection, visitor.district_id, visitor.person.person_id, chosen)
    answer = RedirectResponse(inside(back), 303)
    answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000, samesite="lax", secure=_is_https(request))
    return answer


def inside(address: str) -> str:
    """An address of our own to go on to; anything that could leave this site becomes the overview."""
    leaves = not address.startswith("/") or address.startswith("//") or "\\" in address or not address.isprintable()
    return "/" if leaves else address


def _signed_in(request: Request, token: str, where: str) -> Response:
    answer = RedirectResponse(where, 303)
    answer.set_cookie(
        service.COOKIE,
        token,
        max_age=service.SESSION_MS // 1000,
        httponly=True,
        samesite="lax",
        secure=_is_https(request),
    )
    return answer


def _is_https(request: Request) -> bool:
    return centre_of(request).settings.public_url.startswith("https:")
