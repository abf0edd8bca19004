"""Asks what may never be answered: a share whose server is gone keeps whoever touches it waiting in the kernel.

A sensor whose own device that share is (`courseware`) may hang; the runner says so. One that only glances at it asks
through this, and goes on with its own work.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Patience:
    """At most one question waits at a time, however often it is asked."""

    limit_s: float = 2.0
    _waiting: threading.Thread | None = None

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer, None when it does not come in time; at once while an earlier question still waits.

        The question must raise nothing, and must do no harm when it ends late.
        """
        if self._waiting is not None and self._waiting.is_alive():
            return None
        answers: list[T] = []
        self._waiting = threading.Thread(target=lambda: answers.append(question()), name="question", daemon=True)
        self._waiting.start()
        self._waiting.join(self.limit_s)
        return answers[0] if answers else None
