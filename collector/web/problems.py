"""What a person and a machine are told when something fails: a Chinese page, or RFC 9457 for everything under /api."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from collector.errors import BadInputError, CentreError, NotFoundError
from collector.web.i18n import msgid
from collector.web.render import renderer_of

log = logging.getLogger(__name__)

SIGN_IN = "/signin"
_TITLES = {
    400: msgid("填写有误"),
    401: msgid("请先登录"),
    403: msgid("没有权限"),
    404: msgid("没有找到"),
    409: msgid("有冲突"),
    410: msgid("链接已失效"),
    422: msgid("填写有误"),
    429: msgid("请稍候再试"),
}
_UNREADABLE = msgid("有一项没有填，或者太长、格式不对。请返回上一页改正后再提交。")
_FAILED = msgid("系统出错了")
_SORRY = msgid("系统出错，没有完成这次操作。请稍后再试；若仍不行，请把发生时间告诉区中心。")


def handle_problems(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(CentreError, _centre_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(Exception, _crash)


async def _centre_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, CentreError):
        raise error
    retry = getattr(error, "retry_after_s", None)
    headers = {} if retry is None else {"Retry-After": str(retry)}
    if error.status == HTTPStatus.UNAUTHORIZED and not _is_machine(request):
        return _to_sign_in(request)
    return _answer(request, error.status, error.problem, str(error), headers)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _answer(request, 404, NotFoundError.problem, str(NotFoundError()), {})
    phrase = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return _answer(request, error.status_code, phrase, str(error.detail), dict(error.headers or {}))


async def _bad_request(request: Request, error: Exception) -> Response:
    log.info("request_refused %s %s", request.url.path, error.__class__.__name__)
    return _answer(request, 422, BadInputError.problem, _UNREADABLE, {})


async def _crash(request: Request, error: Exception) -> Response:
    log.error("request_failed %s", request.url.path, exc_info=error)
    return _answer(request, 500, CentreError.problem, _SORRY, {})


def _answer(request: Request, status: int, problem: str, detail: str, headers: dict[str, str]) -> Response:
    title = _TITLES.get(status, _FAILED)
    if _is_machine(request):
        body: dict[str, Any] = {"type": f"/problems/{problem}", "title": title, "status": status, "detail": detail}
        return JSONResponse(body, status, headers, media_type="application/problem+json")
    page = renderer_of(request).page(
        request, "web/problem.html", status=status, title=title, detail=detail, back=_way_back(request)
    )
    page.headers.update(headers)
    return page


def _way_back(request: Request) -> str | None:
    """The page of ours this request came from, so that nobody is left on a dead end."""
    came = urlsplit(request.headers.get("referer", ""))
    if came.netloc != request.url.netloc or (request.method == "GET" and came.path == request.url.path):
        return None
    return f"{came.path}?{came.query}" if came.query else came.path


def _to_sign_in(request: Request) -> Response:
    """Send the browser to the sign-in page and, after it, back to where it was going."""
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    if request.method != "GET":
        return RedirectResponse(SIGN_IN, 303)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{SIGN_IN}?next={quote(request.url.path + query)}", 303)


def _is_machine(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/metrics", "/healthz", "/readyz", "/live"))
