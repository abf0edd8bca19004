"""Token buckets: how many messages a destination, a person or a purse may take now, and when the next. Pure.

A clock that is set back neither fills nor locks a bucket: it goes on from the new time with what it held.
"""

from dataclasses import dataclass, replace

from collector.alerts.channels.base import Budget

PERSON = Budget(most=6, every_ms=600_000)
"""What one person gets on one channel, critical news aside: an hour's worth of attention at once, then six an hour."""
_LONGEST_BLOCK_MS = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Level:
    """How full a bucket was at a moment. Until `blocked_until_ms` the other side wants to be left alone."""

    tokens: float
    at_ms: int
    blocked_until_ms: int = 0


def full(budget: Budget, now_ms: int) -> Level:
    return Level(budget.most, now_ms)


def refill(level: Level, budget: Budget, now_ms: int) -> Level:
    """The level now. While it is blocked it holds nothing."""
    passed_ms = max(0, now_ms - level.at_ms)
    blocked_ms = level.blocked_until_ms if level.blocked_until_ms - now_ms <= _LONGEST_BLOCK_MS else 0
    if blocked_ms > now_ms:
        return Level(0, now_ms, blocked_ms)
    tokens = min(float(budget.most), level.tokens + passed_ms / budget.every_ms)
    return Level(tokens, now_ms, blocked_ms)


def take(level: Level, cost: int = 1) -> Level | None:
    """The level after so many tokens are taken; None when there are not so many."""
    # A thousandth forgives what adding up fractions loses.
    return replace(level, tokens=max(0.0, level.tokens - cost)) if level.tokens + 0.001 >= cost else None


def next_ms(level: Level, budget: Budget, cost: int = 1) -> int:
    """When so many tokens will be there. More than the bucket holds are there when it is full."""
    start_ms = max(level.at_ms, level.blocked_until_ms)
    missing = min(cost, budget.most) - level.tokens
    return start_ms + max(1, round(missing * budget.every_ms))


def block(level: Level, until_ms: int) -> Level:
    return replace(level, tokens=0, blocked_until_ms=max(level.blocked_until_ms, until_ms))
