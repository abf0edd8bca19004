"""The one metadata, with every table of every domain on it. Read by migrations and by the schema test."""

from collector.alerts import models as _alerts
from collector.areas import models as _areas
from collector.db import claims as _claims
from collector.db import numbers as _numbers
from collector.db.types import metadata
from collector.directions import models as _directions
from collector.faults import models as _faults
from collector.intake import models as _intake
from collector.operators import models as _operators
from collector.people import models as _people
from collector.releases import models as _releases
from collector.stations import models as _stations
from collector.tickets import models as _tickets
from collector.timeline import models as _timeline
from collector.usage import models as _usage

DOMAINS = (
    _alerts,
    _areas,
    _claims,
    _directions,
    _faults,
    _intake,
    _numbers,
    _operators,
    _people,
    _releases,
    _stations,
    _tickets,
    _timeline,
    _usage,
)

__all__ = ["DOMAINS", "metadata"]
