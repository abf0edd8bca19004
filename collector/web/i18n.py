"""Chinese is the language of the program; other languages are catalogues read at start, without a compile step."""

from collections.abc import Callable, Mapping
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

DEFAULT = "zh"
LOCALES = Path(__file__).parent / "locale"
COOKIE = "yuanjiao_language"
TAGS: Mapping[str, str] = {"zh": "zh-CN", "en": "en"}
"""Languages a page can be read in, with the tag its `lang` attribute carries."""


def msgid(text: str) -> str:
    """The text itself: marks Chinese words in code for the catalogue; the template translates them."""
    return text


def load_languages(folder: Path = LOCALES) -> dict[str, NullTranslations]:
    """Translations by language. Chinese needs none."""
    return {DEFAULT: NullTranslations()} | {path.stem: _compile(path) for path in sorted(folder.glob("*.po"))}


def _compile(path: Path) -> NullTranslations:
    with path.open("rb") as source:
        catalogue = read_po(source, locale=path.stem)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def pick_language(asked: str | None) -> str:
    """A language that exists, Chinese for anything else."""
    return asked if asked is not None and asked in TAGS else DEFAULT


def lasted(milliseconds: int, gettext: Callable[[str], str]) -> str:
    """How long something has gone on, in the two coarsest units that say it: `3 天 2 小时`."""
    minutes = max(milliseconds, 0) // 60_000
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        text = gettext("%(days)d 天 %(hours)d 小时") if hours else gettext("%(days)d 天")
    elif hours:
        text = gettext("%(hours)d 小时 %(minutes)d 分") if rest else gettext("%(hours)d 小时")
    elif minutes:
        text = gettext("%(minutes)d 分钟")
    else:
        text = gettext("不到 1 分钟")
    return text % {"days": days, "hours": hours, "minutes": rest}
