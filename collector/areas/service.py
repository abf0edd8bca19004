"""What the area tree does: grow, and be found by characters, pinyin or initials."""

from uuid import UUID

from pypinyin import Style, lazy_pinyin

from collector.areas import queries
from collector.areas.queries import AreaKind
from collector.db.engine import Connection


async def plant_area(
    connection: Connection,
    district_id: int,
    *,
    parent_id: UUID | None,
    kind: AreaKind,
    name: str,
    short: str,
    sort: int,
    code: str | None = None,
    valid_from: int = 0,
) -> UUID:
    """Add an area with its pinyin worked out, so that no later search needs the dictionary."""
    return await queries.add_area(
        connection,
        district_id,
        parent_id=parent_id,
        kind=kind,
        name=name,
        short=short,
        pinyin="".join(lazy_pinyin(short))[:200],
        initials="".join(lazy_pinyin(short, style=Style.FIRST_LETTER))[:40],
        sort=sort,
        code=code,
        valid_from=valid_from,
    )
