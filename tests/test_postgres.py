"""Where there is no PostgreSQL, the suite fails and says what to install: nothing is skipped in silence."""

from pathlib import Path

import pytest

from tests import postgres


def test_without_a_server_the_suite_fails_with_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TEST_POSTGRES_URL", raising=False)
    monkeypatch.setattr(postgres, "_PLACES", (tmp_path,))
    with pytest.raises(RuntimeError, match="install Debian's package `postgresql`"), postgres.start_postgres():
        pass
