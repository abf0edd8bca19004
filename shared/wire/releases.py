"""How a station hears of a newer agent, and fetches it.

It asks now and then with `GET /api/v1/release`, signed like a push over an empty body, with the version it runs as
`If-None-Match`: 204 when nothing is offered to it, 304 when it has that. It fetches what is offered piece by piece,
`GET /api/v1/release/<sha256>` with a `Range`, signed over that path. What it gets proves itself (`shared/release.py`):
the centre is only a courier.
"""

from typing import Annotated

from pydantic import StringConstraints

from shared.release import MAX_HEADER_BYTES
from shared.wire.v1 import Count, Open

RELEASE_PATH = "/api/v1/release"
PAYLOAD_PATH = RELEASE_PATH + "/{sha256}"
MAX_PIECE_BYTES = 256 * 1024


class ReleaseAnswer(Open):
    """The first line of the release's file, and the number of the offer.

    A release that failed is tried again under a higher number only.
    """

    offer: Count
    header: Annotated[str, StringConstraints(max_length=MAX_HEADER_BYTES)]
