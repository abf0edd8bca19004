import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.discover import BadPluginError, discover


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `odd_plugins` that holds whatever a test writes into it."""
    place = tmp_path / "odd_plugins"
    place.mkdir()
    (place / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield place
    for name in [each for each in sys.modules if each.startswith("odd_plugins")]:
        del sys.modules[name]


def find(kind: type[object] = int) -> dict[str, object]:
    return dict(discover(importlib.import_module("odd_plugins"), "PLUGIN", kind))


def test_a_new_file_is_found_without_touching_anything_else(folder: Path) -> None:
    (folder / "zinc.py").write_text("PLUGIN = 2")
    (folder / "alum.py").write_text("PLUGIN = 1")

    assert list(find().items()) == [("alum", 1), ("zinc", 2)]


def test_base_and_underscored_modules_are_no_plugins(folder: Path) -> None:
    (folder / "base.py").write_text("raise RuntimeError")
    (folder / "_tools.py").write_text("raise RuntimeError")

    assert find() == {}


@pytest.mark.parametrize(
    ("content", "held"), [("", "NoneType"), ("PLUGIN = 'lamp'", "str"), ("plugin = 1", "NoneType")]
)
def test_a_bad_file_is_named_together_with_what_it_must_export(folder: Path, content: str, held: str) -> None:
    (folder / "lamp.py").write_text(content)

    with pytest.raises(BadPluginError) as raised:
        find()

    assert str(raised.value) == f"odd_plugins.lamp must export PLUGIN, a int; it holds {held}"


def test_a_file_that_does_not_import_stops_everything_with_its_own_error(folder: Path) -> None:
    (folder / "lamp.py").write_text("import no_such_module_anywhere")

    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        find()
