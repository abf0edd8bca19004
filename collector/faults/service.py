"""What the faults domain does: it judges every station of a district and keeps what it finds."""

from collections.abc import Mapping
from functools import cache

from collector.faults import rules
from collector.faults.areas import AREA_CARDS
from collector.faults.rules.base import Card, Rule
from shared.discover import discover


@cache
def list_rules() -> Mapping[str, Rule]:
    """Every rule by name. Raises BadPluginError for a file that exports none; call it once at the start."""
    return discover(rules, "RULE", Rule)


@cache
def list_cards() -> Mapping[str, Card]:
    """What people read about every kind of fault, those of areas and of the centre itself included, by name."""
    return {**AREA_CARDS, **list_rules()}
