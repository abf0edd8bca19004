"""Turns a template into a page: one Jinja environment a language, everything escaped, filters for times and figures."""

from collections.abc import Callable
from datetime import datetime
from gettext import NullTranslations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from starlette.requests import Request
from starlette.responses import HTMLResponse

from collector.web.assets import Assets
from collector.web.i18n import COOKIE, TAGS, lasted, load_languages, pick_language
from shared.months import local

HERE = Path(__file__).parent

_DIRECTION_MARKS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C], "\ufffd")


class Renderer:
    """Pages name templates as `domain/page.html`; each domain's templates lie in its own folder."""

    def __init__(self, assets: Assets, *, zone: ZoneInfo, collector: Path = HERE.parent) -> None:
        folders = {path.parent.name: FileSystemLoader(path) for path in sorted(collector.glob("*/templates"))}
        self._languages = load_languages()
        self._environments = {
            language: _environment(PrefixLoader(folders), translations, assets, zone)
            for language, translations in self._languages.items()
        }

    def page(self, request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A whole page, or a fragment when the template is one (`domain/_name.html`)."""
        language = language_of(request)
        values = {
            "request": request,
            "visitor": getattr(request.state, "visitor", None),
            "language": language,
            "lang": TAGS[language],
            **context,
        }
        text = self._environments[language].get_template(template).render(values)
        return HTMLResponse(text, status, headers={"Vary": "Cookie, HX-Request"})

    def gettext(self, request: Request) -> Callable[[str], str]:
        """Translation into the language of this request, for the few sentences made in code."""
        return self._languages[language_of(request)].gettext


def renderer_of(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


def language_of(request: Request) -> str:
    """The person's language, else the one this browser last chose, else Chinese."""
    visitor = getattr(request.state, "visitor", None)
    return pick_language(getattr(visitor, "language", None) or request.cookies.get(COOKIE))


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of the page (and not for a page of its history)."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def _environment(loader: PrefixLoader, translations: NullTranslations, assets: Assets, zone: ZoneInfo) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        finalize=_harmless,
    )
    install: Any = environment
    install.install_gettext_translations(translations, newstyle=True)
    environment.globals |= {"asset": assets.address, "missing_packages": bool(assets.missing)}
    environment.filters |= {
        "translated": lambda text: translations.gettext(text) if text else "",
        "moment": pass_context(lambda context, ms: _moment(_local(ms, zone), context.get("now_ms"), zone)),
        "day": lambda ms: _local(ms, zone).strftime("%Y-%m-%d"),
        "iso": lambda ms: _local(ms, zone).isoformat(timespec="seconds"),
        "clock": lambda ms: _local(ms, zone).strftime("%H:%M:%S"),
        "lasted": lambda ms: lasted(ms, translations.gettext),
        "grouped": lambda number: f"{number:,}",
        "gigabytes": lambda size: f"{size / 1e9:,.1f}",
    }
    return environment


def _harmless(value: Any) -> Any:
    """Text with its direction marks made visible, so that no file name can show itself backwards."""
    return value.translate(_DIRECTION_MARKS) if type(value) is str and not value.isascii() else value


def _moment(when: datetime, now_ms: int | None, zone: ZoneInfo) -> str:
    """Day and time; with the year where the page has a now and that lies in another one."""
    foreign = now_ms is not None and local(now_ms, zone).year != when.year
    return when.strftime("%Y-%m-%d %H:%M" if foreign else "%m-%d %H:%M")


def _local(ms: int, zone: ZoneInfo) -> datetime:
    return local(ms, zone)
