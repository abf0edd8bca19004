"""Which townships lie next to each other: the district's own list, under `neighbours` in its settings.

Nobody else can know it: division codes say nothing of mountains and rivers. A township without a list of its own has
every other for a neighbour.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from uuid import UUID

from collector.areas import queries
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.errors import BadInputError

Neighbours = Mapping[UUID, frozenset[UUID]]


def read_neighbours(settings: Mapping[str, object]) -> Neighbours:
    """The neighbours of each township that has a list; what cannot be read is left out."""
    own = settings.get("neighbours")
    found: dict[UUID, frozenset[UUID]] = {}
    for township, others in own.items() if isinstance(own, Mapping) else ():
        with suppress(ValueError, TypeError):
            found[UUID(str(township))] = frozenset(UUID(str(each)) for each in others)
    return {township: others for township, others in found.items() if others}


async def change_neighbours(
    connection: Connection, district_id: int, township_id: UUID, others: Collection[UUID]
) -> None:
    """Make these the neighbours of a township, and it a neighbour of each that has a list. None: every other is one.

    Raises BadInputError for what is no other township of the district.
    """
    known = {each.area_id for each in await queries.list_areas(connection, district_id, kind=AreaKind.TOWNSHIP)}
    if township_id not in known or not set(others) <= known - {township_id}:
        raise BadInputError("邻近乡镇必须是本区的另一个乡镇。请刷新页面后重新选择。")
    settings = await queries.get_district_settings(connection, district_id)
    lists = {each: set(mine) for each, mine in read_neighbours(settings).items()}
    for each, mine in lists.items():
        mine.discard(township_id)
        if each in others:
            mine.add(township_id)
    lists[township_id] = set(others)
    kept = {str(each): sorted(map(str, mine)) for each, mine in lists.items() if mine}
    await queries.change_district_settings(connection, district_id, {**settings, "neighbours": kept})
