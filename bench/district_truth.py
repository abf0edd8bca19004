"""Holds the engine's tickets against what is truly wrong in the invented year. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.district_life import OFF
from bench.district_model import HOUR_MS, LACKING, LACKING_SHOWS_H, Trouble
from collector.areas.calendar import Calendar
from collector.tickets.queries import Ticket


@dataclass(frozen=True, slots=True)
class Truth:
    """All troubles by their beginning, and where places lie: the township of each station, and of each area."""

    troubles: Sequence[Trouble]
    township_of: Mapping[int, int]
    areas: Mapping[Any, int]
    calendar: Calendar

    def find_causes(self, ticket: Ticket, now_ms: int) -> list[Trouble]:
        """What is truly wrong, or was until an hour ago, where this ticket points; the newest first."""
        return [
            trouble
            for trouble in reversed(self.troubles)
            if trouble.begin_ms <= now_ms
            and (self._is_recent(trouble, ticket) or self._has_kept_away(trouble, ticket))
            and self._is_there(trouble, ticket)
        ]

    def list_under(self, ticket: Ticket, going_on: Sequence[Trouble]) -> list[Trouble]:
        """Of what goes on, all that this ticket can be about; the station's own first, then the newest."""
        under = [each for each in going_on if ticket.rule in each.kind.rules and self._is_there(each, ticket)]
        return sorted(under, key=lambda each: (each.kind.scope != "station", -each.begin_ms))

    def is_about(self, trouble: Trouble, ticket: Ticket) -> bool:
        """Whether a ticket tells of just this, and of the place that suffers: no smaller and no larger one.

        The silence of a station tells of its dark township where it began with it: a township in which fewer than three
        were left to fall silent has no ticket of its own.
        """
        if ticket.rule not in trouble.kind.rules:
            return False
        if ticket.station_id is not None and trouble.kind.scope == "township":
            began_with = trouble.begin_ms <= ticket.since_ms < trouble.end_ms
            return began_with and trouble.place == self.township_of[ticket.station_id]
        if ticket.station_id is not None:
            return (trouble.kind.scope, trouble.place) == ("station", ticket.station_id)
        if ticket.area_id in self.areas:
            return (trouble.kind.scope, trouble.place) == ("township", self.areas[ticket.area_id])
        return trouble.kind.scope == "district"

    def list_missed(self, until_ms: float) -> list[Trouble]:
        """What lasted long enough to be found until then, was hidden by nothing larger, and has no ticket."""
        return [
            each
            for each in self.troubles
            if not each.found and self._shows_at(each) < min(each.end_ms, until_ms) and not self._is_hidden(each)
        ]

    def _is_recent(self, trouble: Trouble, ticket: Ticket) -> bool:
        return trouble.end_ms > ticket.since_ms - HOUR_MS and ticket.rule in trouble.kind.rules

    def _has_kept_away(self, trouble: Trouble, ticket: Ticket) -> bool:
        """Whether the station lacks films because of it."""
        is_near = trouble.end_ms > ticket.since_ms - LACKING_SHOWS_H * HOUR_MS
        return ticket.rule == LACKING and is_near and (trouble.kind.name in OFF or LACKING in trouble.kind.rules)

    def _is_there(self, trouble: Trouble, ticket: Ticket) -> bool:
        if trouble.kind.scope == "district" or (ticket.station_id is None and ticket.area_id not in self.areas):
            return True
        if ticket.station_id is None:
            return trouble.kind.silent and self._township(trouble) == self.areas[ticket.area_id]
        if trouble.kind.scope == "township":
            return trouble.place == self.township_of[ticket.station_id]
        return trouble.place == ticket.station_id

    def _township(self, trouble: Trouble) -> int | None:
        is_station = trouble.kind.scope == "station"
        return self.township_of[trouble.place or 0] if is_station else trouble.place

    def _shows_at(self, trouble: Trouble) -> float:
        """When it must have been found. Silence only counts while stations are expected on."""
        hours = trouble.kind.shows_h
        if trouble.kind.silent:
            return self.calendar.add_opening_time(trouble.begin_ms, hours)
        return trouble.begin_ms + hours * HOUR_MS

    def _is_hidden(self, trouble: Trouble) -> bool:
        """Whether something larger covered it all the while it could have shown, as a dark township does."""
        end_ms = trouble.end_ms
        covers = (
            each
            for each in self.troubles
            if each is not trouble and each.kind.silent and self._covers(each, trouble) and each.begin_ms < end_ms
        )
        hidden_ms = sum(
            min(end_ms, each.end_ms) - max(trouble.begin_ms, each.begin_ms)
            for each in covers
            if each.end_ms > trouble.begin_ms
        )
        return end_ms - trouble.begin_ms - hidden_ms < trouble.kind.shows_h * HOUR_MS

    def _covers(self, larger: Trouble, trouble: Trouble) -> bool:
        if larger.kind.scope == "district":
            return True
        if trouble.kind.scope == "district":
            return False
        if larger.kind.scope == "station":
            return trouble.kind.scope == "station" and larger.place == trouble.place
        return self._township(trouble) == larger.place
