"""Every word a person may read exists in English too, and no page knows an address outside."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from collector import errors
from collector.alerts import acknowledging
from collector.faults.service import list_cards
from collector.people import access, service
from collector.tickets import photos
from collector.tickets.words import ACTIONS, CATEGORIES, HELPED, SEVERITIES, STATES, STEPS
from collector.web.i18n import LOCALES, lasted, load_languages

COLLECTOR = Path(errors.__file__).parent
DOMAINS = (
    *("alerts", "areas", "directions", "faults", "operators", "overview"),
    *("people", "releases", "stations", "tickets", "usage"),
)
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"newstyle_gettext": "true"}}
WORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "msgid": None, "translate": None}
RAISED = dict.fromkeys(("BadInputError", "ConflictError", "NotFoundError", "NotAllowedError"))
PLACEHOLDER = re.compile(r"%\((\w+)\)|\{(\w+)\}")


def extracted(folder: Path, keywords: Mapping[str, Any]) -> Iterator[str]:
    found = extract_from_dir(folder, method_map=METHODS, options_map=OPTIONS, keywords=keywords)
    for _, _, message, _, _ in found:
        yield plain(message)


def plain(message: Any) -> str:
    """A message, or the last of its forms: it alone has all the figures."""
    return message if isinstance(message, str) else str(message[-1])


def spoken() -> set[str]:
    """Chinese of pages and code, of fault cards, of ticket words, of errors."""
    words = set(extracted(COLLECTOR, WORDS))
    words |= {word for domain in DOMAINS for word in extracted(COLLECTOR / domain, RAISED)}
    words |= {text for card in list_cards().values() for text in (card.title, card.text, card.hint_plain)}
    words |= {card.hint_backbone for card in list_cards().values()}
    words |= {look.word for looks in (STATES, SEVERITIES) for look in looks.values()}
    words |= {word for table in (ACTIONS, CATEGORIES, HELPED, STEPS) for word in table.values()}
    known = [each for module in (acknowledging, errors, access, photos, service) for each in vars(module).values()]
    told = [each for each in known if isinstance(each, type) and issubclass(each, errors.CentreError)]
    words |= {(each.__doc__ or "").strip() for each in told}
    return {word for word in words if re.search(r"[\u3000-\u9fff]", word)}


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    with (LOCALES / "en.po").open("rb") as source:
        catalogue = read_po(source, locale="en")
    return {plain(each.id): plain(each.string) for each in catalogue if each.id}


def test_nothing_is_left_untranslated(english: dict[str, str]) -> None:
    assert sorted(word for word in spoken() if not english.get(word)) == []


def test_a_translation_keeps_the_places_for_figures(english: dict[str, str]) -> None:
    def places(text: str) -> list[str]:
        return sorted(first or second for first, second in PLACEHOLDER.findall(text))

    assert [word for word, text in english.items() if places(word) != places(text)] == []


def test_a_translation_has_no_per_cent_sign_the_words_do_not_have(english: dict[str, str]) -> None:
    """Pages format every text: a bare sign is taken for the beginning of a place."""
    bare = re.compile(r"(?<!%)%(?:%%)*(?![%(])")
    assert [word for word, text in english.items() if len(bare.findall(text)) > len(bare.findall(word))] == []


def test_languages_are_read_without_a_compile_step() -> None:
    assert load_languages()["en"].gettext("离线") == "Offline"
    assert load_languages()["zh"].gettext("离线") == "离线"


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "不到 1 分钟"),
        (1, "1 分钟"),
        (59, "59 分钟"),
        (60, "1 小时"),
        (125, "2 小时 5 分"),
        (1440, "1 天"),
        (4500, "3 天 3 小时"),
    ],
)
def test_how_long_something_lasts_is_said_in_two_units(minutes: int, said: str) -> None:
    assert lasted(minutes * 60_000, str) == said


def own_files(*suffixes: str) -> list[Path]:
    return [path for path in sorted(COLLECTOR.rglob("*")) if path.suffix in suffixes and "migrations" not in path.parts]


def test_no_page_or_script_names_another_host() -> None:
    outside = re.compile(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]")
    assert [path.name for path in own_files(".html", ".js", ".css") if outside.search(path.read_text("utf-8"))] == []


def test_no_page_carries_script_or_style_inside() -> None:
    inline = re.compile(r"<script(?![^>]*(?:src=|application/json))|<style|\sstyle=|\son[a-z]+=|javascript:")
    assert [path.name for path in own_files(".html") if inline.search(path.read_text("utf-8"))] == []


def test_untrusted_text_is_never_marked_safe() -> None:
    unsafe = re.compile(r"\|\s*safe|autoescape false|Markup\(")
    assert [path.name for path in own_files(".html", ".py") if unsafe.search(path.read_text("utf-8"))] == []


def test_the_style_sheets_keep_to_chromium_109() -> None:
    newer = re.compile(r"oklch|oklab|color-mix|@property|@layer|&\s*[.:\[{]|@container|text-wrap|:has\(")
    sheets = {path.name: re.sub(r"/\*.*?\*/", "", path.read_text("utf-8")) for path in own_files(".css")}
    assert [name for name, text in sheets.items() if newer.search(text)] == []
