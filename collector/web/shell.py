"""Fits a FastAPI application with all that pages need: renderer, static files, error pages, headers, compression."""

from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from collector.web.assets import PREFIX, load_assets
from collector.web.problems import handle_problems
from collector.web.render import Renderer
from collector.web.security import SecurityHeaders
from collector.web.sizes import SizeLimit


def fit_shell(app: FastAPI, *, public_url: str, zone: ZoneInfo, node_modules: Path | None = None) -> None:
    """Prepare `app` for pages; call it before any router is included."""
    assets = load_assets(node_modules)
    app.state.renderer = Renderer(assets, zone=zone)
    handle_problems(app)
    app.mount(PREFIX, assets)
    # Compression beside a secret invites BREACH only where another site can send requests with our cookie, and the
    # cookie is SameSite=Lax.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(SizeLimit)
    app.add_middleware(SecurityHeaders, public_url=public_url)
