"""Thresholds of usage, frozen. A district may set its own; what stands here are our defaults."""

from pydantic import BaseModel, ConfigDict, PositiveInt


class UsageRules(BaseModel):
    """`gap_s` longest pause inside one gathering, `proposal_s` least content that is proposed as a study session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_s: PositiveInt = 30 * 60
    proposal_s: PositiveInt = 10 * 60
    day_s: PositiveInt = 24 * 60 * 60
    """Longest playing time one station can have in a day."""
    max_people: PositiveInt = 10_000
    max_visits: PositiveInt = 100_000
    fresh_s: PositiveInt = 24 * 60 * 60
    """In the running month figures are pending when a station has been silent for longer."""
