"""The settings the documents show are settings the centre takes."""

import tomllib
from pathlib import Path

import pytest

from collector.alerts import service
from collector.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["messages.md", "messages.zh-CN.md"])
def test_the_example_opens_every_channel_and_shows_no_key(name: str) -> None:
    page = (DOCS / name).read_text("utf-8")
    example = "\n".join(line[4:] for line in page.splitlines() if line.startswith("    "))
    settings = Settings(**tomllib.loads(example))
    assert sorted(service.open_channels(settings.keys)) == sorted(service.list_channels())
    assert "the gateway's token" not in repr(settings)
    assert "SEC…" not in repr(settings.keys)


def test_without_settings_only_the_log_is_open() -> None:
    assert list(service.open_channels(Settings().keys)) == ["log"]
