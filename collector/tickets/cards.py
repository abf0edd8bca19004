"""A ticket as a line of a list, the same on the overview, the ticket list and the station page."""

from dataclasses import dataclass

from starlette.requests import Request

from collector.tickets.queries import Ticket
from collector.tickets.service import describe
from collector.tickets.words import SEVERITIES, STATES, STEPS, Look
from collector.web.render import renderer_of


@dataclass(frozen=True, slots=True)
class Line:
    ticket: Ticket
    text: str
    state: Look
    severity: Look
    step: str


def lines_of(request: Request, tickets: list[Ticket]) -> list[Line]:
    """Lines in the language of the request."""
    translate = renderer_of(request).gettext(request)
    return [
        Line(
            each,
            describe(each, translate),
            STATES[each.state],
            SEVERITIES[each.severity],
            STEPS[each.step],
        )
        for each in tickets
    ]
