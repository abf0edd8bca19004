"""From cases to the figures of one line. Pure.

What is decided, and what stayed below the centre, `collector.tickets.ended_queries` says for the overview as well.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from collector.figures.queries import Case

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Sums:
    """Figures of some cases. `decided` are closed or have come to the centre; `local` were closed before that.

    Medians in ms: `answer_ms` from opening to the first acknowledgement, `repair_ms` until the fault was gone.
    """

    faults: int
    decided: int
    local: int
    answer_ms: int | None
    repair_ms: int | None
    repeated: int

    @property
    def local_share(self) -> float | None:
        """The headline figure, 0 to 1; None while nothing is decided."""
        return self.local / self.decided if self.decided else None

    @property
    def repeat_share(self) -> float | None:
        return self.repeated / self.faults if self.faults else None


def add_up(cases: Iterable[Case]) -> Sums:
    """The figures of these cases together."""
    cases = list(cases)
    answers = [each.answered_ms - each.opened_ms for each in cases if each.answered_ms is not None]
    repairs = [each.gone_ms - each.opened_ms for each in cases if each.gone_ms is not None]
    return Sums(
        faults=len(cases),
        decided=sum(each.decided for each in cases),
        local=sum(each.local for each in cases),
        answer_ms=_middle(answers),
        repair_ms=_middle(repairs),
        repeated=sum(each.repeated for each in cases),
    )


def add_up_by(cases: Iterable[Case], key: Callable[[Case], Key]) -> Mapping[Key, Sums]:
    """The figures of each group of cases."""
    groups: dict[Key, list[Case]] = {}
    for each in cases:
        groups.setdefault(key(each), []).append(each)
    return {name: add_up(members) for name, members in groups.items()}


def _middle(spans: list[int]) -> int | None:
    # A fault can be gone before its ticket opens, when the news of both came at once.
    return round(median(max(0, each) for each in spans)) if spans else None
