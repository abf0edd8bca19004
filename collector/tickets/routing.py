"""Finds the person a ticket goes to on the ladder 1+X. Pure.

The category decides the first rung; a rung with nobody on it is skipped at once and remembered as skipped; among
several it goes to one who is good at this category, then to the one with the fewest open tickets. A neighbour is a "1"
of a township on the district's list of neighbours, of any other where it has none. Whoever cannot be reached (left, on
leave, off duty) is not in `people`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from collector.faults.rules.base import Category
from collector.people.queries import Person, Role


class Step(IntEnum):
    """Rungs of the ladder."""

    PLAIN = 0
    BACKBONE = 1
    TOWNSHIP = 2
    NEIGHBOUR = 3
    CENTRE = 4


Chain = Mapping[str, Sequence[int]]
"""Who stood on each rung when a ticket opened: step as text (it is kept as JSON) → persons."""

_STARTS_WITH_PLAIN = frozenset({Category.OPERATOR, Category.POWER})


@dataclass(frozen=True, slots=True)
class Where:
    """What a ticket is about: a station of a township, a township, or (both None) the district itself.

    `neighbours` are the townships next to it; without any, every other is one.
    """

    station_id: int | None
    township_id: UUID | None
    neighbours: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """`assignee_id` None: nobody could be reached on any rung. `copied` are told as well, but need not act."""

    assignee_id: int | None
    step: Step
    skipped: tuple[Step, ...]
    copied: tuple[int, ...]


def find_route(
    where: Where, category: Category, people: Sequence[Person], load: Mapping[int, int], *, at_least: int = 0
) -> Route:
    """`load` is open tickets by person; `at_least` the lowest rung allowed (a fault that came back climbs)."""
    return follow_chain({}, where, category, people, load, at_least=max(_first_step(where, category), at_least))


def make_chain(where: Where, category: Category, people: Sequence[Person]) -> dict[str, list[int]]:
    """Everybody on every rung this ticket can come to."""
    steps = (step for step in Step if step >= _first_step(where, category))
    return {str(int(step)): [each.person_id for each in _list_able(step, where, people)] for step in steps}


def follow_chain(
    chain: Chain, where: Where, category: Category, people: Sequence[Person], load: Mapping[int, int], *, at_least: int
) -> Route:
    """As `find_route`, among those who stood on the rungs when the ticket opened; those there now, if all have gone."""
    lowest = min(at_least, Step.CENTRE)
    skipped: list[Step] = []
    for step in (each for each in Step if each >= lowest):
        able = [each for each in people if each.person_id in chain.get(str(int(step)), ())]
        able = able or _list_able(step, where, people)
        if able:
            chosen = min(able, key=lambda each: _rank(each, category, load)).person_id
            return Route(chosen, step, tuple(skipped), _list_copied(where, category, people, chosen))
        skipped.append(step)
    return Route(None, Step.CENTRE, tuple(skipped), ())


def _rank(person: Person, category: Category, load: Mapping[int, int]) -> tuple[bool, int, int]:
    """The smallest is asked."""
    return category not in person.skills, load.get(person.person_id, 0), person.person_id


def _first_step(where: Where, category: Category) -> Step:
    if where.township_id is None:
        return Step.CENTRE
    return Step.PLAIN if category in _STARTS_WITH_PLAIN and where.station_id is not None else Step.BACKBONE


def _list_able(step: Step, where: Where, people: Sequence[Person]) -> list[Person]:
    if step is Step.PLAIN:
        return [each for each in people if each.role is Role.PLAIN and each.station_id == where.station_id]
    if step is Step.CENTRE:
        return [each for each in people if each.role is Role.CENTRE]
    if step is Step.NEIGHBOUR:
        ones = [each for each in people if each.role is Role.BACKBONE and each.area_id is not None]
        ones = [each for each in ones if not each.answers_for(where.township_id)]
        return [each for each in ones if not where.neighbours or any(map(each.answers_for, where.neighbours))]
    role = Role.BACKBONE if step is Step.BACKBONE else Role.TOWNSHIP
    return [each for each in people if each.role is role and each.answers_for(where.township_id)]


def _list_copied(where: Where, category: Category, people: Sequence[Person], chosen: int) -> tuple[int, ...]:
    """The centre hears of major hardware and of whole townships."""
    if category is not Category.HARDWARE_MAJOR and where.station_id is not None:
        return ()
    return tuple(each.person_id for each in people if each.role is Role.CENTRE and each.person_id != chosen)
