"""Whether a finding that is held back may open now, so that a round need not wait for its turn."""

from collections.abc import Mapping

from collector.db.engine import Connection
from collector.faults import queries
from collector.faults.cards import UPLINK_SILENT
from collector.faults.judging import UPLINK_HOLD
from collector.faults.service import list_rules
from collector.faults.standing import hold_of


async def is_hold_over(
    connection: Connection, district_id: int, *, period_s: int, patience: float, now_ms: int
) -> bool:
    """Whether the wait of some finding that has not opened has ended."""
    held = await queries.list_held(connection, district_id)
    waits = list_waits(period_s=period_s, patience=patience) if held else {}
    return any(now_ms - found_ms >= waits.get(rule, 0) for rule, found_ms in held)


def list_waits(*, period_s: int, patience: float) -> Mapping[str, int]:
    """How long each rule holds a finding back, milliseconds."""
    waits = {name: hold_of(rule, period_s=period_s, patience=patience).open_ms for name, rule in list_rules().items()}
    return {**waits, UPLINK_SILENT.name: UPLINK_HOLD.open_ms}
