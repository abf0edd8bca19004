import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.powerloss.__main__ import memory_disk


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: thousands of states cost no disk."""
    with tempfile.TemporaryDirectory(dir=memory_disk()) as folder:
        yield Path(folder)
