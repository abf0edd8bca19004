"""Style sheets and scripts under names that change with their content, so that browsers may keep them for ever.

Our own files lie beside this module; htmx and ECharts are served out of node_modules, where `npm ci` puts them.
"""

import hashlib
import logging
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
PREFIX = "/static"
VENDOR: Mapping[str, str] = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "echarts.js": "echarts/dist/echarts.common.min.js",
}
MISSING = "前端组件未安装：请在程序目录运行 npm ci，然后重启服务。"
_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    digest: str
    kind: str


class Assets:
    """An ASGI application that serves the files; `address()` is what a page writes."""

    def __init__(self, files: Mapping[str, Asset], missing: tuple[str, ...]) -> None:
        self._files = files
        self.missing = missing

    def address(self, name: str) -> str:
        """Address of a file, ending in its content's hash. A file that is not installed keeps its bare name."""
        found = self._files.get(name)
        return f"{PREFIX}/{name}" + ("" if found is None else f"?v={found.digest}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        name = request.url.path.removeprefix(f"{PREFIX}/")
        if name in self.missing:
            return PlainTextResponse(MISSING, 503)
        found = self._files.get(name)
        if found is None:
            return PlainTextResponse("没有这个文件。", 404)
        kept = _YEAR if request.query_params.get("v") == found.digest else "no-cache"
        return Response(found.body, media_type=found.kind, headers={"Cache-Control": kept, "ETag": f'"{found.digest}"'})


def load_assets(node_modules: Path | None = None) -> Assets:
    """Read every file once. `node_modules` is looked for beside the package when it is not given."""
    packages = node_modules or HERE.parents[1] / "node_modules"
    vendor = {name: packages / path for name, path in VENDOR.items()}
    missing = tuple(name for name, path in vendor.items() if not path.is_file())
    if missing:
        log.error("front_end_packages_missing: run `npm ci` in %s and restart", packages.parent)
    present = {name: path for name, path in vendor.items() if name not in missing}
    return Assets({name: _read(path) for name, path in (dict(_own()) | present).items()}, missing)


def _own() -> Iterator[tuple[str, Path]]:
    for path in sorted((HERE / "static").iterdir()):
        yield path.name, path


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body, hashlib.sha256(body).hexdigest()[:10], kind)
