from dataclasses import replace
from uuid import UUID

import pytest

from collector.faults.rules.base import Category
from collector.people.queries import Person, Role
from collector.tickets.routing import Step, Where, find_route, follow_chain, make_chain

HERE, THERE = UUID(int=1), UUID(int=2)
STATION = Where(17, HERE)
TOWNSHIP = Where(None, HERE)
DISTRICT = Where(None, None)


def person(person_id: int, role: Role, *, area_id: UUID | None = None, station_id: int | None = None) -> Person:
    return Person(
        district_id=1,
        person_id=person_id,
        name=f"p{person_id}",
        account=None,
        phone="",
        email="",
        webhook="",
        role=role,
        area_id=area_id,
        station_id=station_id,
        language="zh",
    )


DIRECTOR = person(1, Role.CENTRE)
OFFICE = person(2, Role.TOWNSHIP, area_id=HERE)
ONE = person(3, Role.BACKBONE, area_id=HERE)
OTHER_ONE = person(4, Role.BACKBONE, area_id=HERE)
FOREIGN = person(5, Role.BACKBONE, area_id=THERE)
OPERATOR = person(6, Role.PLAIN, area_id=HERE, station_id=17)
LEADER = person(7, Role.LEADER)
EVERYBODY = [DIRECTOR, OFFICE, ONE, OTHER_ONE, FOREIGN, OPERATOR, LEADER]


@pytest.mark.parametrize(
    ("where", "category", "assignee", "step"),
    [
        (STATION, Category.NETWORK, 3, Step.BACKBONE),
        (STATION, Category.SOFTWARE, 3, Step.BACKBONE),
        (STATION, Category.HARDWARE_COMMON, 3, Step.BACKBONE),
        (STATION, Category.HARDWARE_MAJOR, 3, Step.BACKBONE),
        (STATION, Category.COURSEWARE, 3, Step.BACKBONE),
        (STATION, Category.SATELLITE, 3, Step.BACKBONE),
        (STATION, Category.OPERATOR, 6, Step.PLAIN),
        (STATION, Category.POWER, 6, Step.PLAIN),
        (TOWNSHIP, Category.NETWORK, 3, Step.BACKBONE),
        (DISTRICT, Category.SATELLITE, 1, Step.CENTRE),
        (DISTRICT, Category.NETWORK, 1, Step.CENTRE),
    ],
)
def test_the_category_decides_who_is_asked_first(where: Where, category: Category, assignee: int, step: Step) -> None:
    route = find_route(where, category, EVERYBODY, {})
    assert (route.assignee_id, route.step, route.skipped) == (assignee, step, ())


@pytest.mark.parametrize(
    ("people", "assignee", "skipped"),
    [
        ([DIRECTOR, OFFICE, FOREIGN], 2, (Step.BACKBONE,)),
        ([DIRECTOR, FOREIGN, LEADER], 5, (Step.BACKBONE, Step.TOWNSHIP)),
        ([DIRECTOR, LEADER], 1, (Step.BACKBONE, Step.TOWNSHIP, Step.NEIGHBOUR)),
        ([LEADER], None, (Step.BACKBONE, Step.TOWNSHIP, Step.NEIGHBOUR, Step.CENTRE)),
    ],
)
def test_a_rung_with_nobody_on_it_is_skipped_and_remembered(
    people: list[Person], assignee: int | None, skipped: tuple[Step, ...]
) -> None:
    route = find_route(STATION, Category.NETWORK, people, {})
    assert (route.assignee_id, route.skipped) == (assignee, skipped)


def test_an_operators_fault_climbs_to_the_one_when_the_station_has_no_operator() -> None:
    assert find_route(STATION, Category.OPERATOR, [ONE, DIRECTOR], {}).skipped == (Step.PLAIN,)


def test_the_one_with_fewer_open_tickets_is_asked() -> None:
    assert find_route(STATION, Category.NETWORK, EVERYBODY, {3: 2, 4: 1}).assignee_id == 4


def test_the_chain_names_everybody_on_every_rung_from_the_first() -> None:
    assert make_chain(STATION, Category.OPERATOR, EVERYBODY) == {"0": [6], "1": [3, 4], "2": [2], "3": [5], "4": [1]}
    assert make_chain(DISTRICT, Category.SATELLITE, EVERYBODY) == {"4": [1]}


@pytest.mark.parametrize(
    ("people", "assignee"),
    [(EVERYBODY, 4), ([DIRECTOR, OTHER_ONE], 4), ([DIRECTOR, ONE], 3), ([DIRECTOR, FOREIGN], 5), ([DIRECTOR], 1)],
)
def test_those_who_were_there_at_the_opening_are_asked_as_long_as_one_is_left(
    people: list[Person], assignee: int
) -> None:
    chain = {"1": [4], "3": [5], "4": [1]}
    assert follow_chain(chain, STATION, Category.NETWORK, people, {}, at_least=Step.BACKBONE).assignee_id == assignee


def test_a_fault_that_came_back_climbs() -> None:
    assert find_route(STATION, Category.NETWORK, EVERYBODY, {}, at_least=Step.TOWNSHIP).assignee_id == 2
    assert find_route(STATION, Category.NETWORK, EVERYBODY, {}, at_least=Step.CENTRE + 1).assignee_id == 1


@pytest.mark.parametrize(
    ("where", "category", "copied"),
    [
        (STATION, Category.HARDWARE_MAJOR, (1,)),
        (TOWNSHIP, Category.NETWORK, (1,)),
        (STATION, Category.NETWORK, ()),
        (DISTRICT, Category.NETWORK, ()),
    ],
)
def test_the_centre_gets_a_copy_of_major_hardware_and_dark_townships(
    where: Where, category: Category, copied: tuple[int, ...]
) -> None:
    assert find_route(where, category, EVERYBODY, {}).copied == copied


def test_who_is_good_at_it_comes_before_who_has_less_to_do() -> None:
    skilled = replace(ONE, skills=frozenset({Category.NETWORK}))
    people = [DIRECTOR, skilled, OTHER_ONE]
    assert find_route(STATION, Category.NETWORK, people, {3: 9}).assignee_id == 3
    assert find_route(STATION, Category.SOFTWARE, people, {3: 9}).assignee_id == 4


def test_a_one_of_two_townships_is_asked_in_both_and_is_no_neighbour_in_either() -> None:
    both = replace(FOREIGN, more_areas=frozenset({HERE}))
    route = find_route(STATION, Category.NETWORK, [DIRECTOR, both], {})
    assert (route.assignee_id, route.step) == (5, Step.BACKBONE)
    assert make_chain(STATION, Category.NETWORK, [DIRECTOR, both])["3"] == []
